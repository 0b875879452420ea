"""B12: tokens estimated in SQL against tokens billed (cl100k), calibrated on one corpus and tried on others.

Calibrated as `make calibrate` does: what the sample in one request is billed for is told to `vectorize.calibrate`.
Each sample has a deployment of its own, so that none smooths another's.
"""

from __future__ import annotations

import random
import statistics

from benchmarks import corpora
from benchmarks.outcome import Bar, Figure, Outcome, at_most
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from emulator.ai import tokens
from tools.commands.calibrate import MOST_TEXTS, fitting

ID = "B12"
TITLE = "estimated against billed tokens"
SECONDS = 20.0
RUNS = 1

BAR_PERCENT = 5
SEEDS = 20  # samples of a corpus: which texts they are moves the estimate by a percent or two


def run(bench: Bench) -> Outcome:
    """Calibrate with samples of each English corpus in turn, and try the other corpora with each of them."""
    most, seeds = bench.size((3_000, SEEDS), (100, 2))
    english = {name: texts()[:most] for name, texts in corpora.ENGLISH.items()}
    others = {name: texts()[:most] for name, texts in corpora.OTHERS.items()}
    billed = {name: sum(tokens.count(texts)) for name, texts in (english | others).items()}
    figures: list[Figure] = []
    with bench.database() as database:
        for calibrated_on, texts in english.items():
            with bench.progress.step(f"calibrated on {calibrated_on}", 8):
                rates = [_calibrate(database, calibrated_on, texts, seed) for seed in range(seeds)]
                tried = {name: other for name, other in (english | others).items() if name != calibrated_on}
                for name, other in tried.items():
                    errors = [100 * (_estimate(database, other, rate) / billed[name] - 1) for rate in rates]
                    what, note = f"{name}, calibrated on {calibrated_on}", f"{MOST_TEXTS} texts tried on {len(other):,}"
                    figures += _figures(what, errors, note, at_most(BAR_PERCENT) if name in english else None)
    return Outcome(figures)


def _figures(what: str, errors: list[float], note: str, bar: Bar | None) -> list[Figure]:
    """Return how far off a sample's estimate is usually, and how far at worst."""
    sizes = [abs(error) for error in errors]
    spread = f"estimate {min(errors):+.1f} to {max(errors):+.1f} %; {note}"
    return [
        Figure(what, statistics.median(sizes), "%", bar, spread),
        Figure(f"{what}: the worst of {len(errors)} samples", max(sizes), "%", bar),
    ]


def _estimate(database: BenchDatabase, texts: list[str], bytes_per_token: float) -> int:
    return int(
        database.value(
            "SELECT sum(vectorize.tokens(t, %s::real)) FROM unnest(%s::text[]) AS t", [bytes_per_token, texts]
        )
    )


def _calibrate(database: BenchDatabase, corpus: str, texts: list[str], seed: int) -> float:
    """Return the bytes_per_token that a deployment, new as yet, learns from a sample of the texts."""
    deployment = f"{corpus}, sample {seed}"
    database.deployment(deployment, "text-embedding-3-small")
    sample = random.Random(seed).sample(texts, min(MOST_TEXTS, len(texts)))
    estimates = database.rows(
        "SELECT t, vectorize.tokens(t, d.bytes_per_token) FROM unnest(%s::text[]) AS t, vectorize.deployment AS d "
        "WHERE d.name = %s",
        [sample, deployment],
    )
    sent, estimated = fitting(estimates)
    return float(
        database.value("SELECT vectorize.calibrate(%s, %s, %s)", [deployment, estimated, sum(tokens.count(sent))])
    )
