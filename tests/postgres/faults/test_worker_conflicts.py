"""Workers that want the same rows of the queue: none waits for another in a circle, so none fails."""

from __future__ import annotations

import pytest

from tests.postgres.faults.drill import FaultDatabase
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
