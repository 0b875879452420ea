"""B2: how much of the quota is used, and how often the service says 429, over HTTP with the emulator's own limiter."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.outcome import Chart, Curve, Figure, Outcome, at_least, at_most, count
from benchmarks.services import BenchServices, Request, running_services
from benchmarks.suite import Bench
from benchmarks.workers import running

ID = "B2"
TITLE = "share of the quota used, and of 429s, over HTTP"
SECONDS = 400.0
RUNS = 1

CAPACITIES = (350, 10)  # thousands of tokens a minute
WORKERS = (1, 4, 16)
LATENCY = 0.1
REQUESTS_A_CAPACITY = 6  # a minute (azure-ai-docs, "Manage Azure OpenAI quota")
FIRST_REQUEST_SECONDS = 30.0
CHART_CAPACITY = 350
CHART_WINDOW_SECONDS = 5.0


def run(bench: Bench) -> Outcome:
    """Embed under each quota with each number of workers, for a minute each from the first request on."""
    figures: list[Figure] = []
    curves: list[Curve] = []
    seconds = bench.size(60.0, 2.0)
    for capacity in bench.size(CAPACITIES, CAPACITIES[:1]):
        for workers in bench.size(WORKERS, (2,)):
            seen, began = _measure(bench, capacity, workers, seconds)
            figures += _figures(seen, began, seconds, capacity, workers)
            if capacity == CHART_CAPACITY:
                curves.append(Curve(count(workers, "worker"), _over_time(seen, began, seconds, capacity)))
    chart = Chart(
        "quota", f"Use of a quota of {CHART_CAPACITY}K tokens a minute, by workers", "seconds since the first request",
        "% of the quota (last 5 s)", curves,
    )  # fmt: skip
    return Outcome(figures, [chart])


def _measure(bench: Bench, capacity: int, workers: int, seconds: float) -> tuple[list[Request], float]:
    """Return what the limiter saw, and when the first request came."""
    with (
        running_services(capacity, LATENCY) as services,
        bench.server(services.addresses()) as server,
        server.database() as database,
    ):
        services.configure(database)
        # A text is 594 characters, so about 150 tokens for the limiter: more rows than the quota allows.
        database.make_docs(int(capacity * 1000 / 150 * max(1.0, seconds / 60) * 2) + 2_000)
        database.define()
        name = f"{capacity}K tokens a minute, {count(workers, 'worker')}"
        with bench.progress.step(name, seconds), running(database, workers):
            began = _first_request(services)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            return list(services.meter.requests), began


def _first_request(services: BenchServices) -> float:
    deadline = time.monotonic() + FIRST_REQUEST_SECONDS
    while not services.meter.requests:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no request came within {FIRST_REQUEST_SECONDS:g} s")
        time.sleep(0.01)
    return services.meter.requests[0].at


def used_tokens(seen: Sequence[Request], capacity: int, until: float) -> float:
    """Return the tokens taken out of the bucket until a time, without those that it still owed then."""
    admitted = [request for request in seen if request.admitted and request.at <= until]
    if not admitted:
        return 0.0
    last = admitted[-1]
    owed = max(0.0, last.debt - (until - last.at) * capacity * 1000 / 60)
    return sum(request.tokens for request in admitted) - owed


def most_in_window(seen: Sequence[Request], seconds: float) -> int:
    """Return the most requests that were admitted within any window of this length."""
    times = [request.at for request in seen if request.admitted]
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _figures(seen: Sequence[Request], began: float, seconds: float, capacity: int, workers: int) -> list[Figure]:
    name = f"{capacity}K, {count(workers, 'worker')}"
    quota = capacity * 1000 / 60 * seconds
    refused = sum(not request.admitted for request in seen)
    share = used_tokens(seen, capacity, began + seconds) / quota
    per_second = capacity * REQUESTS_A_CAPACITY / 60
    note = f"tokens as the limiter counts them, over {seconds:g} s"
    return [
        Figure(f"{name}: share of the quota used", share, "", at_least(0.95), note),
        Figure(f"{name}: share of 429s", 100 * refused / max(1, len(seen)), "%", at_most(2)),
        Figure(f"{name}: most requests in 1 s", most_in_window(seen, 1), f"of {max(1.0, per_second):g}"),
        Figure(f"{name}: most requests in 10 s", most_in_window(seen, 10), f"of {10 * per_second:g}"),
    ]


def _over_time(seen: Sequence[Request], began: float, seconds: float, capacity: int) -> list[tuple[float | str, float]]:
    window = min(CHART_WINDOW_SECONDS, seconds / 2)
    points: list[tuple[float | str, float]] = []
    at = window
    while at <= seconds:
        used = used_tokens(seen, capacity, began + at) - used_tokens(seen, capacity, began + at - window)
        points.append((at, 100 * used / (capacity * 1000 / 60 * window)))
        at += max(1.0, seconds / 60)
    return points
