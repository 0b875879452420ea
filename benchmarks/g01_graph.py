"""G1: how fast a graph is loaded by the engine, against the documented way, a loop of Cypher's MERGE, in one run."""

from __future__ import annotations

import time

from psycopg.types.json import Jsonb

from benchmarks.outcome import Chart, Curve, Figure, Outcome, at_least, never
from benchmarks.server import BenchDatabase
from benchmarks.suite import Bench
from benchmarks.workers import drain
from emulator.postgres.debian import DebianInstallations
from emulator.postgres.kinds import make_ready

ID = "G1"
TITLE = "loading a graph"
SECONDS = 100.0
RUNS = 1

VENDORS = 10_000
LOOPED = 5_000  # rows of the loop
CONTRACTS = (10_000, 100_000, 1_000_000)  # an edge each
WORKERS = 2

_TABLES = """
CREATE TABLE public.vendors (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE public.contracts (id bigint PRIMARY KEY, vendor_id bigint NOT NULL, title text NOT NULL);
"""
_VENDORS = "INSERT INTO vendors SELECT g, 'Vendor ' || g FROM generate_series(1, %s) AS g"
_CONTRACTS = (
    "INSERT INTO contracts SELECT g, 1 + (g * 7919) %% %s, 'Contract ' || g FROM generate_series(%s::bigint, %s) AS g"
)
# As the manual of age has it: MERGE each end, then the edge between them.
_LOOP = """
DO $loop$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT * FROM public.contracts ORDER BY id LIMIT {rows} LOOP
        EXECUTE format($q$SELECT * FROM ag_catalog.cypher('looped', $$
            MERGE (v:Vendor {{id: %s}}) MERGE (c:Contract {{id: %s, title: %s}}) MERGE (v)-[:SIGNED]->(c)
        $$) AS (nothing ag_catalog.agtype)$q$, c.vendor_id, c.id, to_json(c.title));
    END LOOP;
END
$loop$
"""


def run(bench: Bench) -> Outcome:
    """Load the same contracts by the loop and by the engine, then more and more of them by the engine."""
    make_ready("debian")
    vendors, looped = bench.size((VENDORS, LOOPED), (50, 20))
    sizes = bench.size(CONTRACTS, (50, 200))
    points: list[tuple[float | str, float]] = []
    wrong = 0
    with bench.server(source=DebianInstallations) as server, server.database() as database:
        database.execute(_TABLES)
        database.execute(_VENDORS, [vendors])
        database.execute(_CONTRACTS, [vendors, 1, sizes[0]])
        with bench.progress.step(f"merging {looped:,} rows", looped / 100):
            loop_rate = _loop(database, looped)
        _declare(database)
        _load(database, "Vendor")
        loaded = 0
        for size in sizes:
            if loaded:
                database.execute(_CONTRACTS, [vendors, loaded + 1, size])
            with bench.progress.step(f"loading {size - loaded:,} vertices and edges", (size - loaded) / 1_500):
                points.append((size, (size - loaded) * 2 / (_load(database, "Contract") + _load(database, "SIGNED"))))
            loaded = size
        for written, present in database.rows("SELECT written, present FROM vectorize.graph_labels('trade')"):
            wrong += abs(written - present)
        wrong += abs(loaded - database.value('SELECT count(*) FROM trade."SIGNED"'))
    figures = [
        # A row of the loop is two vertices and an edge; one of the engine's a vertex or an edge.
        Figure("MERGE, a row each", loop_rate, "rows/s", note=f"{looped:,} rows, two vertices and an edge each"),
        *(Figure(f"the engine, to {int(size):,} edges", rate, "rows/s") for size, rate in points),
        Figure("the engine against MERGE", points[0][1] / 2 / loop_rate, "x", at_least(5)),
        Figure("the last load against the first", points[-1][1] / points[0][1], "x", at_least(0.5)),
        Figure("vertices and edges missing or too many", wrong, "rows", never()),
    ]
    chart = Chart(
        "graph", "Loading a graph, by its size", "edges", "rows a second",
        [Curve("vertices and edges", points)], log_x=True,
    )  # fmt: skip
    return Outcome(figures, [chart])


def _loop(database: BenchDatabase, rows: int) -> float:
    """Return the rows a second of the documented way."""
    database.execute("SELECT ag_catalog.create_graph('looped')")
    with database.connect(options="-csearch_path=public,ag_catalog") as conn:
        began = time.perf_counter()
        conn.execute(_LOOP.format(rows=rows).encode())
        return rows / (time.perf_counter() - began)


def _declare(database: BenchDatabase) -> None:
    database.execute("CALL vectorize.define_graph('trade')")
    ends = {"from": {"vertex": "Vendor", "key": ["vendor_id"]}, "to": {"vertex": "Contract", "key": ["id"]}}
    for operation, table, label, more in (
        ("vertex", "vendors", "Vendor", {"properties": ["name"]}),
        ("vertex", "contracts", "Contract", {"properties": ["title"]}),
        ("edge", "contracts", "SIGNED", ends),
    ):
        spec = {
            "name": f"trade.{label}",
            "table": f"public.{table}",
            "operation": operation,
            "arguments": {"graph": "trade", "label": label, **more},
        }
        database.execute("CALL vectorize.define(%s)", [Jsonb(spec)])
        database.execute("CALL vectorize.pause(%s)", [f"trade.{label}"])


def _load(database: BenchDatabase, label: str) -> float:
    """Work on one label until nothing is left, and return the seconds."""
    database.execute("CALL vectorize.resume(%s)", [f"trade.{label}"])
    began = time.perf_counter()
    drain(database, WORKERS)
    seconds = time.perf_counter() - began
    database.execute("CALL vectorize.pause(%s)", [f"trade.{label}"])
    return seconds
