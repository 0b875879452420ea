# ruff: noqa: E501 - statements read better on one line
"""Writers and workers on the same rows, and workers that die: nothing lost, nothing stale, nobody's statement fails."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from tests.postgres.vector_server import SUPERUSER, Connection, VectorDatabase, digest, fails, in_threads

WRITERS = 4
ROWS_A_WRITER = 60


def churn(conn: Connection, writer: int, dice: random.Random, changes: int) -> None:
    """Change rows that no other writer touches, so that any error a writer sees is the engine's fault."""
    low = writer * 1000
    for step in range(changes):
        key = low + dice.randrange(ROWS_A_WRITER * 2)
        match dice.randrange(8):
            case 0:
                conn.execute("DELETE FROM docs WHERE id = %s", [key])
            case 1:
                conn.execute(
                    "INSERT INTO docs VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                    [key, f"in {writer} {step}"],
                )
            case 2:
                other = low + dice.randrange(ROWS_A_WRITER * 2)
                conn.execute(
                    "UPDATE docs SET id = %s WHERE id = %s AND NOT EXISTS (SELECT FROM docs WHERE id = %s)",
                    [other, key, other],
                )
            case 3:
                conn.execute("UPDATE docs SET n = n + 1 WHERE id BETWEEN %s AND %s", [key, key + 5])
            case 4:
                conn.execute("UPDATE docs SET body = %s WHERE id = %s", [dice.choice(["", "same", None]), key])
            case 5:
                with conn.transaction():
                    conn.execute("UPDATE docs SET body = %s WHERE id = %s", [f"a {writer} {step}", key])
                    conn.execute("UPDATE docs SET body = %s WHERE id = %s", [f"b {writer} {step}", key + 1])
                    if dice.random() < 0.2:
                        raise psycopg.Rollback
            case _:
                conn.execute("UPDATE docs SET body = %s WHERE id = %s", [f"text {writer} {step}", key])


@contextmanager
def workers_running(db: VectorDatabase, count: int) -> Iterator[None]:
    """Let workers run until the block ends; one that is killed comes back."""
    stop = threading.Event()
    errors: list[str] = []

    def work() -> None:
        while not stop.is_set():
            try:
                with db.connect(application_name="worker") as conn:
                    while not stop.is_set():
                        conn.execute("CALL vectorize.work(NULL, 0.5)")
            except (psycopg.errors.AdminShutdown, psycopg.errors.ConnectionException):
                pass
            except psycopg.Error as error:
                if "terminat" not in str(error) and "closed" not in str(error):
                    errors.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


def check(db: VectorDatabase, target: str) -> None:
    """Let the workers finish, then hold the engine to its word."""
    db.mend()
    db.work_together(2)
    assert (db.wrong() if target == "column" else db.wrong_in_table()) == []
    status = db.status()
    assert (status["pending"], status["leased"], status["quarantined"], status["state"]) == (0, 0, 0, "active")
    assert status["rows"] == db.value("SELECT count(*) FROM docs")
    assert status["embedded"] == db.value("SELECT count(*) FROM docs WHERE body ~ '\\S'")
    assert db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}


@pytest.mark.parametrize(("target", "isolation"), [
    ("column", psycopg.IsolationLevel.READ_COMMITTED), ("table", psycopg.IsolationLevel.READ_COMMITTED),
    ("table", psycopg.IsolationLevel.REPEATABLE_READ),
])  # fmt: skip
def test_writers_see_no_error_and_every_vector_is_of_the_present_text(
    db: VectorDatabase, target: str, isolation: psycopg.IsolationLevel
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    db.make_docs(target=target, batch_size=10)
    db.mend(latency=0.005)
    db.execute(
        "INSERT INTO docs SELECT w * 1000 + g, 'text ' || w || g FROM generate_series(0, 3) AS w, generate_series(0, 59) AS g"
    )

    def write(writer: int) -> None:
        with db.connect() as conn:
            conn.isolation_level = isolation
            churn(conn, writer, random.Random(seed + writer), 400)

    with workers_running(db, 3):
        in_threads(*(lambda writer=writer: write(writer) for writer in range(WRITERS)))  # type: ignore[misc]
    check(db, target)


def test_a_killed_worker_loses_nothing_and_pays_at_most_its_own_batch_twice(db: VectorDatabase) -> None:
    db.make_docs(2000, batch_size=20)
    db.mend(latency=0.01)
    kills = 8
    with workers_running(db, 3), db.connect("azuresu") as killer:
        for step in range(kills):
            while db.status()["embedded"] < 200 * (step + 1):
                pass
            killed = killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker' ORDER BY random() LIMIT 1"
            ).fetchall()
            assert killed in ([(True,)], [])
        while db.status()["pending"] or db.status()["leased"]:
            pass
    check(db, "column")
    twice = sum(count - 1 for count in db.paid().values())
    assert twice <= kills * 20


def test_the_rows_of_a_dead_worker_are_taken_over_at_once(db: VectorDatabase) -> None:
    db.make_docs(30)
    db.mend(latency=30)
    worker = db.connect(application_name="worker")
    thread = threading.Thread(target=fails, args=(worker, "CALL vectorize.work()"))
    thread.start()
    while not db.status()["leased"]:
        pass
    with db.connect("azuresu") as killer:
        killer.execute("SELECT pg_terminate_backend(%s, 5000)", [worker.info.backend_pid])
    thread.join()
    db.mend()
    assert db.work(seconds=20)["embedded"] == 30
    assert db.rows("SELECT * FROM vectorize.lease") == []


def test_a_row_that_a_user_holds_keeps_its_vector_in_hand(db: VectorDatabase) -> None:
    db.make_docs(40)
    holder = db.connect()
    holder.autocommit = False
    holder.execute("UPDATE docs SET n = 1 WHERE id IN (3, 4)")
    with workers_running(db, 2):
        while db.status()["embedded"] < 38:
            pass
        holder.commit()
        while db.status()["pending"] or db.status()["leased"]:
            pass
    holder.close()
    check(db, "column")


@pytest.mark.parametrize("rows", [1, 3])
def test_a_lock_on_the_table_costs_no_row_its_vector(db: VectorDatabase, rows: int) -> None:
    """Longer than a settle waits, and than its attempts did: the results stay in hand, and are written without a call."""
    db.make_docs(10)
    db.work()
    with db.connect(SUPERUSER) as conn:  # so that six attempts take 3 s, and not half a minute
        conn.execute("ALTER FUNCTION vectorize.settle SET lock_timeout = '300ms'")
    db.execute("UPDATE docs SET body = 'changed ' || id WHERE id <= %s", [rows])
    db.mend(latency=1)
    holder = db.connect()
    holder.autocommit = False
    calls = db.calls()
    with db.connect() as worker:

        def lock_and_release() -> None:
            while db.calls() == calls:
                time.sleep(0.02)
            holder.execute("LOCK TABLE docs IN SHARE MODE")
            time.sleep(9)
            assert db.status()["quarantined"] == 0
            assert db.value("SELECT count(embedding) FROM docs") == 10
            holder.rollback()

        in_threads(lambda: worker.execute("CALL vectorize.work(NULL, 120)").close(), lock_and_release)
    holder.close()
    assert db.wrong() == []
    assert db.rows("SELECT * FROM vectorize.failures") == []
    assert db.rows("SELECT * FROM vectorize.lease") == []
    assert db.calls() == calls + 1


def test_a_held_row_that_changes_is_embedded_with_its_new_text_only(db: VectorDatabase) -> None:
    db.make_docs(40)
    holder = db.connect()
    holder.autocommit = False
    holder.execute("UPDATE docs SET body = 'the new text' WHERE id = 3")
    with db.connect() as worker:

        def work() -> None:
            worker.execute("CALL vectorize.work(NULL, 30)")

        def release() -> None:
            while db.status()["embedded"] < 39:
                pass
            holder.commit()

        in_threads(work, release)
    holder.close()
    check(db, "column")
    assert db.paid()[digest("the new text")] == 1


def test_settling_never_waits_for_a_user_nor_deadlocks_with_one(db: VectorDatabase) -> None:
    """Two rows, locked by users in both orders, while vectors for both are written."""
    db.make_docs(2, batch_size=2)

    def swap(first: int, second: int) -> None:
        with db.connect() as conn:
            for step in range(150):
                with conn.transaction():
                    conn.execute(
                        "SELECT pg_advisory_xact_lock(1)"
                    )  # the two users take turns; only the engine is in between
                    conn.execute("UPDATE docs SET body = %s WHERE id = %s", [f"{first} {step}", first])
                    conn.execute("UPDATE docs SET body = %s WHERE id = %s", [f"{second} {step}", second])

    with workers_running(db, 3):
        in_threads(lambda: swap(1, 2), lambda: swap(2, 1))
    check(db, "column")
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert db.value(deadlocks) == 0


def test_truncate_and_refill_while_workers_run(db: VectorDatabase) -> None:
    db.make_docs(300, target="table", batch_size=20)
    db.mend(latency=0.005)
    with workers_running(db, 2):
        for step in range(6):
            with db.conn.transaction():
                db.execute("TRUNCATE docs")
                db.execute(
                    "INSERT INTO docs SELECT g, 'round ' || %s || ' text ' || g FROM generate_series(1, 100 + 20 * %s) AS g",
                    [step, step],
                )
    check(db, "table")


def test_define_while_workers_run(db: VectorDatabase) -> None:
    db.make_docs(400, batch_size=20)
    db.mend(latency=0.005)
    with workers_running(db, 3):
        for step in range(5):
            db.define(batch_size=20, template=f"{step} {{body}}")
        while db.status()["pending"] or db.status()["leased"]:
            pass
    assert db.wrong(text="('4 ' || body)") == []


def test_two_feeders_at_once_queue_no_row_twice(db: VectorDatabase) -> None:
    db.make_docs(3000, batch_size=50)
    db.work_together(6)
    assert db.wrong() == []
    assert set(db.paid().values()) == {1}


def test_a_table_truncated_while_its_rows_are_embedded_keeps_no_vector_of_them(db: VectorDatabase) -> None:
    db.make_docs(40, target="table")
    db.work()
    db.execute("UPDATE docs SET body = 'changed ' || id WHERE id <= 20")
    db.execute("INSERT INTO docs SELECT g, 'new ' || g FROM generate_series(41, 60) AS g")
    db.mend(latency=2)
    with db.connect() as worker:

        def work() -> None:
            worker.execute("CALL vectorize.work(NULL, 30)")

        def truncate() -> None:
            while db.calls() < 2:
                pass
            db.execute("TRUNCATE docs")
            db.mend()
            db.work()  # sweeps the empty table before the first worker has its vectors

        in_threads(work, truncate)
    check(db, "table")


def test_a_new_template_reaches_the_rows_that_are_being_embedded(db: VectorDatabase) -> None:
    db.make_docs(20, target="table")
    db.mend(latency=2)
    with db.connect() as worker:

        def work() -> None:
            worker.execute("CALL vectorize.work(NULL, 30)")

        def define() -> None:
            while db.calls() < 1:
                pass
            db.define(target="table", template="new {body}")
            db.mend()
            db.work()

        in_threads(work, define)
    db.work()
    assert db.value("CALL vectorize.verify('docs')") == {"missing": 0, "stale": 0, "orphaned": 0}
    assert all(db.paid()[digest(f"new text {key}")] == 1 for key in range(1, 21))


def test_a_note_of_what_the_sweep_has_found_moves_nothing(db: VectorDatabase) -> None:
    """A row that is noted and found is paid for once; a writer that was still at work when it was found counts."""
    db.make_docs()
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 5) AS g")

    def versions() -> dict[int, int]:
        return dict(engine.execute("SELECT k1, version FROM vectorize_jobs.item_1").fetchall())

    with db.connect(SUPERUSER) as engine, db.connect() as late:
        engine.execute("SELECT vectorize.ensure_steps(1)")
        late.execute("BEGIN; UPDATE docs SET body = 'late' WHERE id = 2")
        engine.execute("SELECT vectorize.feed(1, 100)")
        found = versions()
        assert set(found) == {1, 2, 3, 4, 5}
        engine.execute("SELECT vectorize.fold(1, 0, NULL, 100, NULL)")
        assert versions() == found
        late.execute("COMMIT")
        db.execute("UPDATE docs SET body = 'changed' WHERE id = 4")
        engine.execute("SELECT vectorize.fold(1, 0, NULL, 100, NULL)")
        assert {key for key, version in versions().items() if version != found[key]} == {2, 4}
    db.work()
    assert db.wrong() == []


def test_a_worker_stays_while_another_one_folds(db: VectorDatabase) -> None:
    """What somebody else makes of the notes is work too; waiting for it costs next to nothing."""
    db.make_docs()
    db.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, 5) AS g")
    with db.connect(SUPERUSER) as folder, ThreadPoolExecutor(1) as pool:
        folder.execute("SELECT pg_advisory_lock(vectorize.lock_class() + 2, 1)")
        before = folder.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        done = pool.submit(db.work)
        time.sleep(1.5)
        assert not done.done()
        folder.execute("SELECT pg_advisory_unlock_all()")
        assert done.result()["embedded"] == 5
        folder.execute("SELECT pg_stat_clear_snapshot()")
        after = folder.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert before is not None
    assert after is not None
    assert after[0] - before[0] < 1_000


def test_a_note_that_comes_after_the_claim_that_read_its_text_costs_nothing(db: VectorDatabase) -> None:
    """A worker claims what another gave back while a third still folds; the note is of a change that the claim saw."""
    db.make_docs(4)
    db.execute("UPDATE docs SET body = 'noted ' || id WHERE id <= 2")
    with db.connect(SUPERUSER) as conn:
        conn.execute("SELECT vectorize.ensure_steps(1)")
        conn.execute("SELECT vectorize.feed(1, 10)")
        claimed = conn.execute("SELECT vectorize_jobs.claim_1(0, 10, 77)").fetchone()
        db.execute("UPDATE docs SET body = 'later ' || id WHERE id = 3")
        folded = conn.execute("SELECT folded, versions FROM vectorize.fold(1, 0, NULL, 1000, 78)").fetchone()
        leases = conn.execute("SELECT k1, lease FROM vectorize_jobs.item_1 ORDER BY k1").fetchall()
    assert claimed is not None
    assert len(claimed[0]) == 4
    assert folded is not None
    assert folded[0] == 3, "all notes are folded, and the item of the later one alone moves on"
    assert [lease for _, lease in leases] == [77, 77, 78, 77]
    assert len(folded[1]) == 1


def test_a_worker_whose_lease_was_taken_settles_nothing_that_it_read(db: VectorDatabase) -> None:
    """It was only slow: the text that it read is older than the change whose note found nothing to move."""
    db.make_docs(3, target="table")
    with db.connect(SUPERUSER) as conn:
        conn.execute("SELECT vectorize.ensure_steps(1)")
        row = conn.execute("SELECT versions FROM vectorize.feed(1, 10, 10, 71)").fetchone()
        assert row is not None
        conn.execute("INSERT INTO vectorize.lease VALUES (71, 1, 5, 3, now() - interval '1 second')")
        db.execute("UPDATE docs SET body = 'changed ' || id")
        conn.execute("SELECT vectorize.reap(1, 0)")
        conn.execute("SELECT vectorize_jobs.claim_1(0, 10, 77)")
        assert conn.execute("SELECT versions FROM vectorize.fold(1, 0, NULL, 1000, 78)").fetchone() == (None,)
        settled = conn.execute(
            "SELECT (vectorize.settle(j, ARRAY(SELECT ROW(v, 'embed', '', azure_openai.vector_of('old', 8), NULL, NULL, NULL, NULL)::vectorize.result "
            "FROM unnest(%s::bigint[]) AS v), NULL)).written FROM vectorize.job AS j",
            [row[0]],
        ).fetchone()
        assert settled == (0,)
        conn.execute("UPDATE vectorize_jobs.item_1 SET lease = NULL")
    db.work()
    assert db.wrong_in_table() == []
