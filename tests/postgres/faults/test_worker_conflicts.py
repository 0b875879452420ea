"""Workers that want the same rows of the queue: none waits for another in a circle, so none fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.postgres.faults.drill import FaultDatabase, wait_until
from tests.postgres.vector_server import SUPERUSER


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["queued in the keys' order", "queued against it"])
def test_a_batch_given_back_and_its_changes_folded_at_once(docs: FaultDatabase, order: tuple[int, int]) -> None:
    docs.superuser("SELECT vectorize.ensure_steps(1)")
    docs.execute("CALL vectorize.pause('docs')")
    for key in order:
        docs.execute("INSERT INTO docs VALUES (%s, 'text ' || %s)", [key, key])
        docs.superuser("SELECT vectorize.fold(1, 0, NULL, 1000, NULL)")
    docs.execute("CALL vectorize.resume('docs')")
    docs.fault("error", "azure_openai.create_embeddings: 429: Please retry after 20 milliseconds.", calls=1)
    giving = docs.worker("answer")
    giving.wait_at("answer")
    docs.execute("UPDATE docs SET body = 'changed ' || id")
    with docs.holding(SUPERUSER) as holder:
        holder.execute("SELECT FROM vectorize_jobs.item_1 WHERE k1 = 1 FOR UPDATE")
        folding = docs.worker()
        folding.wait_for_table("vectorize_jobs.item_1")
        giving.open()
        giving.rest()
        holder.commit()
    giving.finish()
    folding.finish()
    docs.end(refused=1)


def test_rows_in_hand_given_back_and_their_changes_folded_at_once(db: FaultDatabase) -> None:
    """What is settled out of the hand is committed before what moved on is given back."""
    db.start("column", batch=10, rows=2)
    with db.holding() as user, db.holding(SUPERUSER) as folder:
        user.execute("UPDATE docs SET n = 1")
        giving = db.worker("answer", "settle")
        giving.wait_at("answer")
        giving.open("answer")
        sleeps = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
        wait_until(lambda: db.superuser(sleeps, [giving.pid]), "the worker has both rows in hand, and rests")
        folder.execute("SELECT pg_advisory_lock(vectorize.lock_class() + 2, 1)")  # nobody else folds
        user.execute("UPDATE docs SET body = 'changed' WHERE id = 1")
        user.execute("UPDATE docs SET body = body || '!' WHERE id = 2")
        user.execute("UPDATE docs SET body = rtrim(body, '!') WHERE id = 2")  # its vector in hand is good
        user.commit()
        giving.wait_at("settle")
        with ThreadPoolExecutor(1) as pool:
            folding = pool.submit(folder.execute, "SELECT vectorize.fold(1, 0, NULL, 100, NULL)")
            wait_until(lambda: db.waits(folder.info.backend_pid), "the fold waits for the row that is settled")
            giving.open()
            folding.result()
        folder.execute("SELECT pg_advisory_unlock(vectorize.lock_class() + 2, 1)")
        folder.commit()
    giving.finish()
    db.end()
