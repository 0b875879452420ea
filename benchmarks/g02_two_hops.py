"""G2: what a search that goes on in a graph finds, where the answer's own text does not hold what was asked."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.types.json import Jsonb

from benchmarks import workers
from benchmarks.outcome import Chart, Curve, Figure, Outcome, at_least
from benchmarks.quality import hops
from benchmarks.quality.hops import Paper, Question
from benchmarks.quality.measures import recall
from benchmarks.server import BenchDatabase
from benchmarks.services import running_services
from benchmarks.suite import Bench
from emulator.postgres.debian import DebianInstallations
from emulator.postgres.kinds import make_ready

ID = "G2"
TITLE = "answers that are hops away from what was asked"
SECONDS = 15.0
RUNS = 1

K = 10
ROUNDS = 3
WORKERS = 2
_CAPACITY = 1_000_000  # thousand tokens a minute: the quota is out of the way

# Each gives invoices: the searches by a filter, those in the graph by what they come to from any paper.
_GRAPH = (
    "SELECT substring(properties FROM '\"id\": (\\d+)')::int "
    "FROM vectorize.search_graph('papers', 'docs', %s, {k}, {hops}) "
    'WHERE strpos(properties, \'"kind": "invoice"\') > 0'
)
_SEARCH = "SELECT (key ->> 'id')::int FROM vectorize.{function}('docs', %s, {k}, '{{\"kind\": \"invoice\"}}')"
WAYS = {
    "vectors alone": _SEARCH.format(function="search", k=K),
    "hybrid": _SEARCH.format(function="hybrid_search", k=K),
    "graph, 1 hop": _GRAPH.format(k=K, hops=1),
    "graph, 2 hops": _GRAPH.format(k=K, hops=2),
}
ALONE, FAR = "vectors alone", "graph, 2 hops"


def run(bench: Bench) -> Outcome:
    """Ask every question in every way in turn, and hold the first ten invoices against those that are wanted."""
    make_ready("debian")
    papers = hops.papers()
    asked = hops.questions(papers)
    asked = bench.size(asked, asked[::6])
    with searchable(bench, papers) as database, bench.progress.step(f"{len(asked)} questions", len(asked) / 5):
        scores, taken = _ask(database, asked, bench.size(ROUNDS, 1))
    figures: list[Figure] = []
    curves = {way: Curve(way, []) for way in WAYS}
    for distance, kind in enumerate(hops.KINDS):
        of_kind = [score for question, score in zip(asked, scores, strict=True) if question.hops == distance]
        means = {way: statistics.fmean(score[way] for score in of_kind) for way in WAYS}
        where = ("answers that say it themselves", "answers a hop away", "answers two hops away")[distance]
        note = f"{len(of_kind)} questions about what {kind}s say, {len(papers)} papers"
        figures += [Figure(f"recall@{K}, {where}: {way}", mean, "", None, note) for way, mean in means.items()]
        for way, curve in curves.items():
            curve.points.append((f"{distance} hops", means[way]))
        if distance == 2:
            gain = means[FAR] / means[ALONE] if means[ALONE] else None
            note = "" if gain else "vectors alone found none"
            figures.append(Figure(f"recall@{K}, {where}: 2 hops against vectors alone", gain, "x", at_least(1), note))
    median = {way: statistics.median(seconds) for way, seconds in taken.items()}
    figures += [Figure(f"{way}, a question", 1000 * seconds, "ms", None, "median") for way, seconds in median.items()]
    figures += [Figure(f"{way} against {ALONE}", median[way] / median[ALONE], "x") for way in WAYS if way != ALONE]
    chart = Chart(
        "two-hops", "Recall@10 by how far the answers are", "from what was asked", "recall@10", list(curves.values()),
        kind="bars",
    )  # fmt: skip
    return Outcome(figures, [chart])


def _ask(
    database: BenchDatabase, asked: list[Question], rounds: int
) -> tuple[list[dict[str, float]], dict[str, list[float]]]:
    """Return the recall of each question by each way, and the seconds of each way."""
    scores: list[dict[str, float]] = []
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for question in asked:
        database.rows(WAYS[ALONE], [question.text])  # its vector is in the session's memory afterwards
        for _ in range(rounds):
            found: dict[str, list[int]] = {}
            for way, statement in WAYS.items():
                began = time.perf_counter()
                rows = database.rows(statement, [question.text])
                taken[way].append(time.perf_counter() - began)
                found[way] = list(dict.fromkeys(row[0] for row in rows))
        scores.append({way: recall(ids, question.wanted, K) for way, ids in found.items()})
    return scores, taken


@contextmanager
def searchable(bench: Bench, papers: list[Paper]) -> Iterator[BenchDatabase]:
    """Run a database in which the papers are embedded, and vertices of a graph whose edges lead to their parents."""
    with (
        running_services(_CAPACITY, latency_seconds=0) as services,
        bench.server(services.addresses(), DebianInstallations) as server,
        server.database() as database,
    ):
        services.configure(database)
        database.execute("CREATE TABLE docs (id bigint PRIMARY KEY, kind text NOT NULL, parent bigint, body text)")
        with database.conn.cursor().copy("COPY docs FROM STDIN") as copy:
            for paper in papers:
                copy.write_row((paper.id, paper.kind, paper.parent or None, paper.body))
        with bench.progress.step(f"{len(papers)} papers, and their graph", 5):
            workers.drain(database, WORKERS, lambda: _declare(database))
            database.maintain()
        database.execute("VACUUM (ANALYZE)")
        yield database


def _declare(database: BenchDatabase) -> None:
    database.define(full_text={"language": "english"})
    database.execute("CALL vectorize.define_graph('papers')")
    ends = {"from": {"vertex": "Paper", "key": ["id"]}, "to": {"vertex": "Paper", "key": ["parent"]}}
    for operation, label, more in (("vertex", "Paper", {"properties": ["kind"]}), ("edge", "BELONGS_TO", ends)):
        spec = {
            "name": f"papers.{label}",
            "table": "public.docs",
            "operation": operation,
            "arguments": {"graph": "papers", "label": label, **more},
        }
        database.execute("CALL vectorize.define(%s)", [Jsonb(spec)])
