"""B12: tokens estimated in SQL against tokens billed (cl100k), calibrated on one corpus and tried on others."""

from __future__ import annotations

from benchmarks import corpora
from benchmarks.outcome import Bar, Figure, Outcome, at_most
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from emulator.ai import tokens

ID = "B12"
TITLE = "estimated against billed tokens"
SECONDS = 20.0
RUNS = 1

BAR_PERCENT = 5
STEPS = 24  # halvings of the range in which bytes_per_token is looked for


def run(bench: Bench) -> Outcome:
    """Calibrate on each English corpus in turn, and try the others with that."""
    most = bench.size(3_000, 100)
    english = {name: texts()[:most] for name, texts in corpora.ENGLISH.items()}
    others = {name: texts()[:most] for name, texts in corpora.OTHERS.items()}
    billed = {name: tokens.count(texts) for name, texts in (english | others).items()}
    figures: list[Figure] = []
    with bench.database() as database:
        for calibrated_on, texts in english.items():
            with bench.progress.step(f"calibrated on {calibrated_on}", 8):
                rate = _calibrate(database, texts, sum(billed[calibrated_on]))
                tried = {name: other for name, other in (english | others).items() if name != calibrated_on}
                for name, other in tried.items():
                    error = 100 * (_estimate(database, other, rate) / sum(billed[name]) - 1)
                    bar: Bar | None = at_most(BAR_PERCENT) if name in english else None
                    note = f"estimate {error:+.1f} %, at {rate:.2f} bytes a token; {len(other):,} texts"
                    figures.append(Figure(f"{name}, calibrated on {calibrated_on}", abs(error), "%", bar, note))
    return Outcome(figures)


def _estimate(database: BenchDatabase, texts: list[str], bytes_per_token: float) -> int:
    return int(
        database.value(
            "SELECT sum(vectorize.tokens(t, %s::real)) FROM unnest(%s::text[]) AS t", [bytes_per_token, texts]
        )
    )


def _calibrate(database: BenchDatabase, texts: list[str], billed: int) -> float:
    """Return the bytes_per_token with which the estimate of these texts is what was billed for them."""
    low, high = 0.1, 20.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _estimate(database, texts, middle) > billed:
            low = middle
        else:
            high = middle
    return (low + high) / 2
