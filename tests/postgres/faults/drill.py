# ruff: noqa: E501 - statements read better on one line
"""What a fault drill is made of: a server that may be killed, workers that stop at a step, and what must hold at the end."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from database import migrations
from tests.postgres.vector_server import ADMINISTRATOR, STUBS, SUPERUSER, Connection, VectorDatabase, VectorServer

PATIENCE_SECONDS = 60.0

GATES = {
    "call": 4001,  # the batch is claimed and its texts are read; nothing is sent
    "answer": 4002,  # the service answered, and is paid
    "settle": 4003,  # a vector is being written
}


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Poll until a condition is true and return what it gave; fail with `what` after a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:g} s in vain until {what}"
        time.sleep(0.005)
    return found


class FaultServer(VectorServer):
    """A server to be killed."""

    def __init__(self) -> None:
        super().__init__("16")

    @contextmanager
    def durable(self) -> Iterator[None]:
        """Let the server sync what it commits, as a real one does, until the block ends; the tests' own does not."""

        def sync(setting: str) -> None:
            with self.connect("postgres", SUPERUSER) as conn:
                conn.execute(f"ALTER SYSTEM SET fsync = {setting}".encode())
                conn.execute("SELECT pg_reload_conf()")
                conn.execute("CHECKPOINT")

        sync("on")
        yield
        sync("off")

    def new_database(self, kind: type[FaultDatabase] | None = None) -> FaultDatabase:
        self._made += 1
        name = f"f{self._made}"
        self._make_database(name, "template_engine")
        return (kind or FaultDatabase)(self, name)

    def database_of(self, root: Path) -> FaultDatabase:
        """Make a database with the engine that a folder `sql` of another version holds."""
        self._made += 1
        name = f"f{self._made}"
        self._make_database(name, "template1")
        with self.connect(name, SUPERUSER) as conn:
            conn.execute("CREATE EXTENSION vector")
            for stub in STUBS:
                conn.execute(stub.read_bytes())
        self.install(name, root)
        return FaultDatabase(self, name)

    def install(self, database: str, root: Path) -> None:
        """Apply the engine of a folder `sql` to a database, as an administrator does."""
        with self.connect(database) as conn:
            migrations.apply(conn, "vectorize", root=root, say=lambda line: None)

    def kill(self) -> None:
        """End every process of the server at once with kill -9, and start it again."""
        with self.connect("postgres", SUPERUSER) as conn:
            row = conn.execute(r"SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)").fetchone()
        assert row is not None
        postmaster = psutil.Process(int(row[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes)
        asyncio.run(self._backend.start("tests"))

    def kill_session(self, pid: int) -> None:
        """End one server process with kill -9, which makes PostgreSQL end all the others and recover."""
        os.kill(pid, signal.SIGKILL)

        def recovered() -> bool:
            with suppress(psycopg.OperationalError), self.connect("postgres", SUPERUSER) as conn:
                return conn.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).rowcount == 0
            return False

        wait_until(recovered, "the server has recovered")


class FaultDatabase(VectorDatabase):
    """A database whose quota stands in nobody's way, with the job `docs` on the table `docs`."""

    server: FaultServer

    def __init__(self, server: FaultServer, name: str) -> None:
        super().__init__(server, name)
        self.target = "column"
        self.batch = 100
        self.counts_calls = False
        """Whether `end` bounds the calls; in random schedules rows and batch sizes come as they come."""
        self.callers = 0
        """How many workers called, or may have."""
        self.execute(
            "SELECT vectorize.set_deployment('embedding', 'text-embedding-3-small', 1536, 1000000000, 100000000, 0.02)"
        )

    def start(self, target: str, batch: int, rows: int = 0) -> None:
        """Make `docs` with this many rows, a job on it, and the place where its workers can be stopped while they write."""
        self.target, self.batch = target, batch
        self.make_docs(rows, target=target, batch_size=batch)
        self.watch_writes()

    def watch_writes(self) -> None:
        """Put the gate `settle` into a trigger of the table that the vectors go to."""
        event = "UPDATE ON docs FOR EACH ROW WHEN (NEW.embedding IS DISTINCT FROM OLD.embedding)"
        self.execute("CREATE FUNCTION pass_settle() RETURNS trigger LANGUAGE plpgsql AS "
                     "'BEGIN PERFORM azure_openai.pass_gate(4003); RETURN NEW; END'")  # fmt: skip
        event = event if self.target == "column" else "INSERT ON docs_embedding FOR EACH ROW"
        self.execute(f"CREATE TRIGGER pass_settle BEFORE {event} EXECUTE FUNCTION pass_settle()")

    def reconnect(self) -> None:
        """Connect again after the server was killed."""
        self.conn.close()
        self.conn = self.connect()

    def superuser(self, statement: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement as superuser; return its rows, if it has any."""
        with self.connect(SUPERUSER) as conn:
            cursor = conn.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def holding(self, user: str = ADMINISTRATOR) -> Iterator[Connection]:
        """Open a transaction that holds its locks until the block ends, and is rolled back then unless it was committed."""
        conn = self.connect(user)
        conn.autocommit = False
        try:
            yield conn
        finally:
            conn.close()

    def worker(
        self, *shut: str, seconds: float = 60, through: Callable[[FaultDatabase], Connection] | None = None
    ) -> Worker:
        """Start a worker that stops at these gates; `through` connects it otherwise than straight."""
        conn = through(self) if through else self.connect(ADMINISTRATOR, application_name="worker")
        self.callers += 1
        return Worker(self, conn, shut, seconds)

    def work(self, seconds: float = 60, job: str | None = None) -> dict[str, int]:
        """Work until nothing is ready, and return the report."""
        report = super().work(seconds, job)
        self.callers += report["requests"] > 0
        return report

    def work_together(self, workers: int, seconds: float = 60) -> list[dict[str, int]]:
        """Run several workers until nothing is ready, and return their reports."""
        reports = super().work_together(workers, seconds)
        self.callers += sum(report["requests"] > 0 for report in reports)
        return reports

    def rows_wrong(self, text: str = "body") -> list[tuple[Any, ...]]:
        """Return the rows whose vector is not that of their present text; orphans of a side table count too."""
        if self.target == "column":
            return self.wrong(text=text)
        return self.wrong_in_table(text)

    @contextmanager
    def writing(self, statement: str) -> Iterator[None]:
        """Run a statement in a thread; enter the block when it is done or waits for a worker, and leave it when it is done."""
        with self.connect() as conn, ThreadPoolExecutor(1) as pool:
            done = pool.submit(conn.execute, statement.encode())
            wait_until(lambda: done.done() or self.waits(conn.info.backend_pid), "the statement is done, or waits")
            yield
            done.result()

    def waits(self, pid: int) -> bool:
        """Return whether a session waits for a lock, or comes back to what somebody's open transaction holds."""
        return bool(self.superuser(
            "SELECT 1 FROM pg_stat_activity AS a WHERE pid = %s AND (wait_event_type = 'Lock' OR wait_event = 'PgSleep' AND EXISTS "
            "(SELECT FROM pg_stat_activity AS o WHERE o.datname = a.datname AND o.state = 'idle in transaction'))", [pid]
        ))  # fmt: skip

    def work_until(self, condition: Callable[[], Any], workers: int = 1) -> None:
        """Let workers run for short times until a condition holds; their waits for the service end with each."""

        def holds() -> bool:
            self.work_together(workers, seconds=0.2)
            return bool(condition())

        wait_until(holds, "workers have brought it about")

    def finish(self) -> None:
        """Resume the job, as a person does, and let two workers do what is left."""
        self.execute("CALL vectorize.resume('docs')")
        self.work_together(2)

    def go_on(self) -> None:
        """Let two workers do what is left when the waits that the service asked for are over; nobody resumes the job."""
        self.superuser("UPDATE vectorize.deployment SET not_before = NULL")
        self.work_together(2)

    def paid_twice(self) -> int:
        """Return how many texts were paid for again; drills write no text twice."""
        return sum(count - 1 for count in self.paid().values())

    def calls_to_find(self, bad: int) -> int:
        """Return how many calls may be refused while batches are halved until so many bad rows are each alone."""
        return bad * (math.ceil(math.log2(self.batch)) + 1)

    def end(
        self, *, state: str = "active", twice: int = 0, refused: int = 0, spare: int = 0, text: str = "body"
    ) -> None:
        """Mend the service, let workers finish, and hold the engine to its word.

        Args:
            state: of the job, before it is mended; nobody resumes one that must have gone on by itself.
            twice: how many texts may have been paid for once more.
            refused: how many calls may have been refused.
            spare: how many calls may have been paid beyond those that `hold_calls` allows.
            text: the SQL expression of a row's text.
        """
        self.mend()
        assert self.status()["state"] == state, self.status()["reason"]
        if state == "active":
            self.go_on()
        else:
            self.finish()
        self.hold(twice=twice, refused=refused, text=text)
        if self.counts_calls:
            self.hold_calls(spare)

    def hold_calls(self, spare: int) -> None:
        """No more calls are paid than batches need: one that is not full is its worker's last, or follows a refusal."""
        full = math.ceil(self.paid().total() / self.batch)
        allowed = full + self.callers + self.calls("refused") + spare
        assert self.calls() <= allowed, f"{self.calls()} calls for what {full} can hold, of {allowed} allowed"

    def hold(self, *, twice: int, refused: int, text: str = "body") -> None:
        """The promise, once all is quiet: each text its vector, nothing queued, nothing paid beyond what is allowed."""
        assert self.rows_wrong(text) == []
        status = self.status()
        assert (status["state"], status["pending"], status["leased"], status["quarantined"]) == ("active", 0, 0, 0)
        assert status["rows"] == self.value("SELECT count(*) FROM docs")
        assert status["embedded"] == self.value(f"SELECT count(*) FROM docs WHERE {text} ~ '\\S'")
        assert self.rows("SELECT * FROM vectorize.failures") == []
        assert self.rows("SELECT * FROM vectorize.lease") == []
        assert self.paid_twice() <= twice, f"{self.paid_twice()} texts were paid for again, of {twice} allowed"
        assert self.calls("refused") <= refused
        assert self.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}


class Worker:
    """`CALL vectorize.work` in a thread and a session of its own, which stops at the gates that are shut for it."""

    def __init__(self, db: FaultDatabase, conn: Connection, shut: tuple[str, ...], seconds: float) -> None:
        self._db = db
        self.conn = conn
        self.pid = conn.info.backend_pid
        self.error: psycopg.Error | None = None
        self.report: dict[str, int] = {}
        self._keeper = db.connect(SUPERUSER)
        self.shut = set(shut)
        for gate in shut:
            self._keeper.execute("SELECT pg_advisory_lock(%s, %s)", [GATES[gate], self.pid])
        self._thread = threading.Thread(target=self._work, args=[seconds])
        self._thread.start()

    def _work(self, seconds: float) -> None:
        try:
            row = self.conn.execute("CALL vectorize.work(NULL, %s)", [seconds]).fetchone()
            self.report = row[0] if row else {}
        except psycopg.Error as error:
            self.error = error
        self.conn.close()

    @property
    def ended(self) -> bool:
        """Whether its CALL has returned or failed."""
        return not self._thread.is_alive()

    def at(self) -> str | None:
        """Return the gate that it waits at, or None."""
        row = self._keeper.execute(
            "SELECT classid::int FROM pg_locks WHERE pid = %s AND locktype = 'advisory' AND objid = %s AND NOT granted AND classid BETWEEN 4001 AND 4003",
            [self.pid, self.pid],
        ).fetchone()
        return next(gate for gate, number in GATES.items() if number == row[0]) if row else None

    def wait_at(self, gate: str) -> None:
        """Return when it waits at this gate; fail when it ends instead."""
        reached = wait_until(lambda: self.at() or self.ended, f"the worker is at the gate {gate}")
        assert reached == gate, f"the worker is at {self.at()}, ended: {self.ended}, {self.error}"

    def wait_for_table(self, table: str) -> None:
        """Return when it waits for a lock on a table, or on a row of it."""

        def waits() -> bool:
            return (
                self._keeper.execute(
                    "SELECT 1 FROM pg_locks AS w WHERE w.pid = %s AND NOT w.granted AND (w.relation = %s::regclass OR w.locktype = 'transactionid' "
                    "AND EXISTS (SELECT FROM pg_locks AS t WHERE t.pid = w.pid AND t.relation = %s::regclass AND t.locktype = 'tuple'))",
                    [self.pid, table, table],
                ).rowcount
                > 0
            )

        wait_until(waits, f"the worker waits for {table}")

    def rest(self) -> str | None:
        """Wait until it is at a gate, waits for another session's lock, or has ended; return the gate, if it is one."""
        wait_until(lambda: self.at() or self.ended or self._db.waits(self.pid), "the worker rests")
        return self.at()

    def step(self) -> str | None:
        """Let it through the gate where it is, if it is at one, and return the gate at which it rests next."""
        gate = self.at()
        if gate is not None:
            # Taken back at once: it passes one time.
            self._keeper.execute(
                "SELECT pg_advisory_unlock(%(gate)s, %(pid)s), pg_advisory_lock(%(gate)s, %(pid)s)",
                {"gate": GATES[gate], "pid": self.pid},
            )
        return self.rest()

    def open(self, *gates: str) -> None:
        """Let it pass these gates from now on, or all."""
        for gate in set(gates or self.shut) & self.shut:
            self._keeper.execute("SELECT pg_advisory_unlock(%s, %s)", [GATES[gate], self.pid])
        self.shut -= set(gates or self.shut)

    def terminate(self) -> None:
        """End its session, as an administrator or a lost connection does, and wait until the session is gone."""
        self._keeper.execute("SELECT pg_terminate_backend(%s, 60000)", [self.pid])
        self.gone()

    def kill(self) -> None:
        """End its server process with kill -9; the server recovers, and all other sessions are lost."""
        self._db.server.kill_session(self.pid)
        self.gone()
        self._db.reconnect()

    def wait_for_session(self) -> None:
        """Wait until the server has ended its session."""
        session = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: not self._db.superuser(session, [self.pid]), "the session has ended")

    def gone(self) -> None:
        """Wait for the end of its thread, and forget it."""
        self._thread.join(PATIENCE_SECONDS)
        assert self.ended, "the worker does not end"
        self._keeper.close()

    def end_without_session(self) -> None:
        """Wait until the client has noticed that its session is lost, then open all gates for what is left of it."""
        self._thread.join(PATIENCE_SECONDS)
        assert isinstance(self.error, psycopg.OperationalError), self.error
        self.open()
        self.gone()

    def finish(self) -> dict[str, int]:
        """Open all gates, wait until its CALL returns, and return its report."""
        self.open()
        self.gone()
        assert self.error is None, self.error
        return self.report
