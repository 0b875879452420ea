"""Vectorization jobs: the calls into schema `vectorize`. The engine itself is SQL, in sql/vectorize/."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from database import backfilling
from database.connection import explained
from database.definition import defining
from database.errors import DatabaseError
from database.up_to_date import up_to_date

Connect = Callable[[], psycopg.Connection]


@dataclass(frozen=True)
class Deployment:
    """A model deployment: what it gives, how much of it a minute, and at what price in US dollars.

    A chat model has no dimensions; a function of Language, which is limited like a deployment, no tokens either. A
    price of None is one that nobody knows.
    """

    name: str
    model: str
    dimensions: int | None
    tokens_per_minute: int | None
    requests_per_minute: int
    price_per_million_tokens: float | None


# What a job has only where its operation makes vectors, and what only where it does not.
_OF_VECTORS = ("dimensions", "distance", "index", "index_options", "index_coverage", "chunking", "full_text")
_OF_OTHERS = ("operation", "arguments")


@dataclass(frozen=True)
class JobSpec:
    """A declared job: a vectorization, or an enrichment by another operation; the names of `vectorize.define`."""

    name: str
    table: str
    template: str
    deployment: str
    key: tuple[str, ...] = ()
    operation: str = "embed"  # or another of sql/vectorize/operation.sql
    arguments: Mapping[str, Any] = field(default_factory=dict)  # of the operation
    target: str = "column"  # "column" | "table"
    column: str = "embedding"
    type: str = "vector"  # "vector" | "halfvec", or the type of an enrichment's column
    dimensions: int = 1536
    distance: str = "cosine"  # "cosine" | "l2" | "inner_product"
    index: str = "none"  # "none" | "hnsw" | "ivfflat" | "diskann"
    index_options: Mapping[str, int] = field(default_factory=dict)
    index_coverage: float = 0.95  # share of the rows that are embedded when the index is built
    batch_size: int = 100
    chunking: Mapping[str, int] | None = None  # max_tokens and overlap; None embeds every text whole
    full_text: Mapping[str, str] | None = None  # language: an index on the words, for hybrid_search

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON values, for `vectorize.define` and for state."""
        plain = asdict(self) | {"key": list(self.key), "index_options": dict(self.index_options)}
        other = _OF_OTHERS if self.operation == "embed" else _OF_VECTORS
        return {name: value for name, value in plain.items() if value is not None and name not in other}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build a job from plain JSON values, in which whole numbers may have become floats.

        Raises:
            TypeError: a field is unknown or missing.
        """
        given = dict(values)
        for name in ("dimensions", "batch_size"):
            if name in given:
                given[name] = int(given[name])
        given["key"] = tuple(given.get("key") or ())
        given["index_options"] = {name: int(value) for name, value in (given.get("index_options") or {}).items()}
        if given.get("chunking") is not None:
            given["chunking"] = {name: int(value) for name, value in given["chunking"].items()}
        return cls(**given)


@dataclass(frozen=True)
class Estimate:
    """What the rest of a job will take; tokens are estimated from bytes, since azure_ai reports no usage.

    `cost_usd` is None where no price is known.
    """

    rows: int
    tokens: int
    requests: int
    cost_usd: float | None
    minutes: float


@dataclass(frozen=True)
class JobStatus:
    """How far a job is; tokens and cost are estimates. `empty` rows have no text, `pending` ones are not done yet."""

    name: str
    table: str
    state: str  # "active" | "paused" | "stopped"
    reason: str | None
    rows: int
    embedded: int
    empty: int
    pending: int
    leased: int
    quarantined: int
    tokens: int
    cost_usd: float | None  # None where no price is known
    rows_per_second: float
    eta_seconds: int | None
    index_state: str
    last_error: str | None
    generation: int
    next_generation: int | None
    next_embedded: int | None
    caught_up: bool  # every row is embedded but for those that changed lately
    changes: int  # noted and not queued yet
    pending_seconds: float | None  # since the oldest of what is queued changed

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, in the next generation too; rows in quarantine wait for a person."""
        return self.pending == 0 and self.leased == 0

    def line(self) -> str:
        """Return the progress line: rows, rows/s, tokens, time left."""
        waiting, filling = self.pending + self.leased, self.next_generation is not None
        ready = up_to_date(self.embedded + self.empty, self.rows, waiting, filling=filling)
        left = "" if self.eta_seconds is None else f", about {self.eta_seconds} s left"
        bad = f", {self.quarantined} in quarantine" if self.quarantined else ""
        empty = f" ({self.empty:,} without text)" if self.empty else ""
        beside = (
            f", {self.next_embedded or 0:,} of them in generation {self.next_generation}"
            if self.next_generation
            else ""
        )
        error = f" (last error: {self.last_error})" if self.last_error and not self.rows_per_second else ""
        return (
            f"{self.name}: {ready:,} of {self.rows:,} rows{empty}{beside}, "
            f"{self.rows_per_second:.0f} rows/s, about {self.tokens:,} tokens{bad}{left}{error}"
        )


def define(conn: psycopg.Connection, deployment: Deployment, spec: JobSpec, *, state: str = "active") -> list[str]:
    """Create or change a deployment and a job, and return what changed, a sentence each; nothing when nothing did.

    Args:
        conn: in autocommit, since the procedure commits between attempts.
        deployment: what the job calls.
        spec: the job.
        state: "active", or "paused" so that an estimate can come before spending.

    Raises:
        DatabaseError: what is wrong with the job, everything at once; nothing is changed then.
    """
    with defining(conn, f"job {spec.name}") as said:
        conn.execute(
            "SELECT vectorize.set_deployment(%s, %s, %s, %s, %s, %s::numeric)",
            [
                deployment.name,
                deployment.model,
                deployment.dimensions,
                deployment.tokens_per_minute,
                deployment.requests_per_minute,
                None if deployment.price_per_million_tokens is None else str(deployment.price_per_million_tokens),
            ],
        )
        conn.execute("CALL vectorize.define(%s)", [Jsonb(spec.to_json() | {"state": state})])
    return said


def estimate(conn: psycopg.Connection, name: str) -> Estimate:
    """Return what the rest of a job will take; reads the source, or a sample of a large one, and spends nothing."""
    with explained(f"estimating job {name}"), conn.cursor(row_factory=class_row(Estimate)) as cursor:
        row = cursor.execute(
            "SELECT rows, tokens, requests, cost_usd::float8, minutes::float8 FROM vectorize.estimate(%s)", [name]
        ).fetchone()
    assert row is not None  # noqa: S101 - a function without a set returns one row
    return row


def status(conn: psycopg.Connection, name: str | None = None) -> list[JobStatus]:
    """Return how far each job is, or the one job; empty where there is none, or no engine."""
    if not _installed(conn):
        return []
    expressions = {
        "table": "source",
        "cost_usd": "cost_usd::float8",
        "rows_per_second": "rows_per_second::float8",
        "pending_seconds": "extract(epoch FROM clock_timestamp() - oldest_pending)::float8",
    }
    columns = ", ".join(f'{expressions.get(f.name, f.name)} AS "{f.name}"' for f in fields(JobStatus))
    statement = f"SELECT {columns} FROM vectorize.status WHERE %s::text IS NULL OR name = %s ORDER BY name"  # noqa: S608 - names of this class
    with explained("reading the status of the jobs"), conn.cursor(row_factory=class_row(JobStatus)) as cursor:
        return cursor.execute(statement.encode(), [name, name]).fetchall()


def read(conn: psycopg.Connection, name: str) -> tuple[Deployment, JobSpec, str] | None:
    """Return a job as it is defined, with its deployment and its state; None where there is none."""
    if not _installed(conn):
        return None
    with explained(f"reading job {name}"):
        row = conn.execute(
            "SELECT d.name, d.model, d.dimensions, d.tokens_per_minute, d.requests_per_minute, "
            "d.price_per_million_tokens::float8, s.state, x.spec "
            "FROM vectorize.declared(%s) AS x (spec) "
            "JOIN vectorize.deployment AS d ON d.name = x.spec ->> 'deployment' "
            "JOIN vectorize.status AS s ON s.name = x.spec ->> 'name'",
            [name],
        ).fetchone()
    if row is None:
        return None
    *deployment, state, spec = row
    return Deployment(*deployment), JobSpec.from_json(spec), state


def remove(conn: psycopg.Connection, name: str, *, keep_vectors: bool = True) -> None:
    """Take a job away; nothing happens when there is none. What stays keeps its receipts, so a new define is cheap."""
    if read(conn, name) is None:
        return
    with explained(f"removing job {name}"):
        conn.execute("CALL vectorize.remove(%s, %s)", [name, keep_vectors])


def backfill(
    open_connection: Connect,
    name: str,
    *,
    workers: int = 4,
    timeout_seconds: float = 3600,
    progress: Callable[[str], None] = print,
    say: Callable[[str], None] | None = None,
) -> JobStatus:
    """Run workers until every row of the job is embedded, then build its index; a line of progress every 2 s.

    It can be interrupted at any point and run again: nothing is lost, and at most one batch a worker is paid twice.

    Args:
        open_connection: opens a connection in autocommit without a statement time limit, straight to the server (no
            pooler in transaction mode).
        name: the job; it is resumed when it is paused or stopped.
        workers: how many connections work on it at the same time.
        timeout_seconds: how long to go on; the status says what remains then, and the next run does it.
        progress: gets the lines.
        say: gets what stays true, such as another generation that searches use; `progress` when left out.

    Raises:
        DatabaseError: the job stopped (with its reason), somebody paused it, or no worker can connect.
    """
    with open_connection() as conn, explained(f"job {name}"):
        conn.execute("CALL vectorize.resume(%s)", [name])
    backfilling.run(open_connection, lambda conn: _one(conn, name), name, workers, timeout_seconds, progress)
    with open_connection() as conn:
        _switch(conn, name, say or progress)
        return _one(conn, name)


def _switch(conn: psycopg.Connection, name: str, progress: Callable[[str], None]) -> None:
    """Let searches use a generation that is complete now; a worker does the same, now and then."""
    with explained(f"switching job {name} to its next generation"):
        row = conn.execute(
            "SELECT s.current, (SELECT generation FROM vectorize.generations WHERE job = %s AND standing = 'previous' "
            "ORDER BY switched_at DESC NULLS LAST LIMIT 1) FROM vectorize.switch(%s) AS s (current)",
            [name, name],
        ).fetchone()
    if row and row[0]:
        progress(
            f"{name}: searches use generation {row[0]} now; the one before is kept: CALL vectorize.rollback('{name}') "
            f"goes back, CALL vectorize.discard('{name}', {row[1]}) drops it"
        )


def _one(conn: psycopg.Connection, name: str) -> JobStatus:
    found = status(conn, name)
    if not found:
        raise DatabaseError(f"job {name}: it was removed while it ran.")
    return found[0]


def _installed(conn: psycopg.Connection) -> bool:
    with explained("looking for the vectorization engine"):
        row = conn.execute("SELECT to_regclass('vectorize.status') IS NOT NULL").fetchone()
    return row == (True,)
