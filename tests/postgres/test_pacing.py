# ruff: noqa: E501 - statements read better on one line
"""Pacing: one bucket a deployment, in which a schedule holds that the service's own limiter would not refuse."""

from __future__ import annotations

import random
import threading

import psycopg
import pytest

from emulator.ai.quota import Quota
from tests.postgres.vector_server import VectorDatabase, digest, fails

THROTTLED = "azure_openai.create_embeddings: 429: Requests have exceeded call rate limit. Please retry after 2 seconds."


def set_quota(db: VectorDatabase, capacity: int) -> None:
    """Give the deployment so many thousand tokens a minute, and 6 requests for each."""
    db.execute(
        "SELECT vectorize.set_deployment('embedding', 'text-embedding-3-small', 1536, %s, %s, 0.02)",
        [capacity * 1000, capacity * 6],
    )


def reserve(db: VectorDatabase, tokens: int, patience: float = 10_000) -> float | None:
    wait: float | None = db.value("SELECT vectorize.reserve('embedding', %s, %s)", [[4 * tokens], patience])
    return wait


@pytest.mark.parametrize("capacity", [1, 10, 350, 10_000])
def test_a_schedule_uses_the_quota_and_the_services_limiter_refuses_none_of_it(
    db: VectorDatabase, capacity: int
) -> None:
    """Reserve many calls at once, and show the limiter each at the time that it was given, up to a quarter of a second late."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    set_quota(db, capacity)
    second = capacity * 1000 / 60
    calls = [max(1, round(second * dice.choice([0.05, 0.5, 1, 2, 3]))) for _ in range(200)]
    sent = []
    for tokens in calls:
        now = db.value("SELECT extract(epoch FROM clock_timestamp())::float8")
        wait = reserve(db, tokens)
        assert wait is not None
        sent.append(now + wait)
    assert sent == sorted(sent)
    late = sorted((at + dice.random() / 4, tokens) for at, tokens in zip(sent, calls, strict=True))
    clock = late[0][0]
    limiter = Quota(lambda: clock)
    for at, tokens in late:
        clock = at
        limiter.take("account", "embedding", capacity, tokens)  # raises when it would refuse
    # All but the share of searches, where calls are large enough that tokens and not requests are what is short.
    if min(calls) >= second:
        assert sum(calls[:-1]) / (sent[-1] - sent[0]) > 0.95 * second


def test_a_call_larger_than_the_bucket_goes_and_the_next_one_waits_for_its_debt(db: VectorDatabase) -> None:
    set_quota(db, 6)
    wait = reserve(db, 3000)
    assert wait is not None
    assert wait <= 0.25
    wait = reserve(db, 1)
    assert wait is not None
    assert 25 < wait < 35
    # Without the patience nothing is taken.
    assert [reserve(db, 3000, patience=10) for _ in range(3)] == [None, None, None]
    wait = reserve(db, 1)
    assert wait is not None
    assert wait < 35


def test_a_changed_quota_counts_at_once(db: VectorDatabase) -> None:
    set_quota(db, 6)
    reserve(db, 6000)
    assert db.value("SELECT vectorize.wait_seconds(d) > 50 FROM vectorize.deployment AS d")
    set_quota(db, 600)
    assert db.value("SELECT vectorize.wait_seconds(d) < 1 FROM vectorize.deployment AS d")


@pytest.mark.parametrize("jump", ["1 day", "-1 day"])
def test_a_clock_that_jumps_neither_stops_nor_bursts(db: VectorDatabase, jump: str) -> None:
    set_quota(db, 60)
    # What a clock that is put forward leaves behind lies in the past, and the other way round.
    db.execute("UPDATE vectorize.bucket SET at = at - %s::interval, rate_at = rate_at - %s::interval", [jump, jump])
    db.execute("UPDATE vectorize.deployment SET not_before = clock_timestamp() - %s::interval", [jump])
    waits = [reserve(db, 1000) for _ in range(5)]
    assert waits[0] is not None
    assert waits[0] < 1
    assert waits == sorted(waits, key=lambda wait: wait or 0)
    assert waits[-1] is not None
    assert 3 < waits[-1] < 5


def test_a_429_halves_the_rate_once_for_all_that_failed_together_and_it_creeps_back(db: VectorDatabase) -> None:
    assert float(db.value("SELECT rate FROM vectorize.quota")) == pytest.approx(0.98, abs=0.001)
    for _ in range(5):
        db.execute("SELECT vectorize.back_off('embedding', true, 30)")
    rate, held = db.rows("SELECT rate, not_before > now() + interval '20 s' FROM vectorize.quota")[0]
    assert 0.4 < rate < 0.9
    assert held
    assert db.value("SELECT failures_in_a_row FROM vectorize.deployment") == 1
    db.execute("UPDATE vectorize.bucket SET rate_at = rate_at - interval '61 s'")
    assert float(db.value("SELECT rate FROM vectorize.quota")) == pytest.approx(0.98, abs=0.001)
    for _ in range(20):
        db.execute("UPDATE vectorize.bucket SET rate_at = rate_at - interval '2 s'")
        db.execute("SELECT vectorize.back_off('embedding', true, 30)")
    assert db.value("SELECT rate FROM vectorize.bucket") >= 1 / 64


def test_a_busy_service_that_is_unwell_does_not_halve_the_rate(db: VectorDatabase) -> None:
    db.make_docs(5)
    db.fault("error", "azure_openai.create_embeddings: 503: The service is busy.", calls=1)
    assert db.work()["embedded"] == 5
    assert db.value("SELECT rate FROM vectorize.bucket") == 1


def test_a_429_is_waited_for_by_everybody_and_shown(db: VectorDatabase) -> None:
    db.make_docs(30, batch_size=10)
    db.fault("error", THROTTLED.replace("2 seconds", "60 seconds"), calls=1)
    db.work(seconds=0.5)
    assert db.rows("SELECT deployment, rate < 0.6, not_before > now() FROM vectorize.quota") == [
        ("embedding", True, True)
    ]
    db.work_together(3, seconds=0.5)
    assert db.calls("refused") == 1
    assert db.calls() == 0
    db.execute("UPDATE vectorize.deployment SET not_before = NULL")
    assert db.work()["embedded"] == 30
    assert db.rows("SELECT requests_last_minute, tokens_last_minute > 0, not_before FROM vectorize.quota") == [
        (4, True, None)
    ]


def test_without_time_to_wait_rows_are_given_back_uncharged(db: VectorDatabase) -> None:
    db.make_docs()
    db.execute("INSERT INTO docs SELECT g, g || repeat(' word', 20000) FROM generate_series(1, 2) AS g")
    set_quota(db, 60)
    # Claimed together and sent apart; the second would have to wait for longer than the worker has.
    assert db.work(seconds=10)["embedded"] == 1
    assert db.rows("SELECT lease IS NULL, attempts FROM vectorize_jobs.item_1") == [(True, 0)]
    assert db.rows("SELECT * FROM vectorize.lease") == []
    # Now its turn is so far that it is not even claimed.
    version = db.value("SELECT last_value FROM vectorize.version")
    assert db.work(seconds=1)["embedded"] == 0
    assert db.value("SELECT last_value FROM vectorize.version") == version + 1  # the worker's own number
    db.execute("UPDATE vectorize.bucket SET tokens = 0, at = clock_timestamp()")
    assert db.work()["embedded"] == 1
    assert db.calls() == 2


def test_a_small_quota_makes_small_batches(db: VectorDatabase) -> None:
    db.make_docs(1)
    rows = "SELECT vectorize.batch_rows(j, d, %s) FROM vectorize.job AS j, vectorize.deployment AS d"
    assert db.value(rows, [150]) == 100
    set_quota(db, 10)
    assert [db.value(rows, [tokens]) for tokens in (2, 100, 1000)] == [100, 6, 1]
    large = "SELECT vectorize.too_large(d, '{1}', ARRAY[%s::integer]) FROM vectorize.deployment AS d"
    assert [db.value(large, [characters]) for characters in (3900, 4100)] == [False, True]


def test_searches_have_a_share_of_their_own(db: VectorDatabase) -> None:
    db.execute("SELECT vectorize.set_search_share('embedding', 0.25)")
    assert float(db.value("SELECT rate FROM vectorize.quota")) == pytest.approx(0.75)
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute("SELECT vectorize.set_search_share('embedding', 1)")
    with pytest.raises(psycopg.errors.UndefinedObject, match="there is no deployment other"):
        db.execute("SELECT vectorize.set_search_share('other', 0.1)")


def test_a_change_goes_before_the_backfill(db: VectorDatabase) -> None:
    db.make_docs(400, batch_size=10)
    db.mend(latency=0.02)
    with db.connect() as conn:
        worker = threading.Thread(target=lambda: conn.execute("CALL vectorize.work()"))
        worker.start()
        while db.calls() < 3:
            pass
        db.execute("UPDATE docs SET body = 'a change' WHERE id = 400")
        seen = db.calls()
        worker.join()
    changed = next(path for path in db.logs.glob("paid-*") if digest("a change") in path.read_text())
    # The call that is under way, and the next.
    assert int(changed.name.removeprefix("paid-")) <= seen + 2
    assert digest("text 400") not in db.paid()
    assert db.wrong() == []


def test_a_change_is_seen_by_a_worker_that_lingers(db: VectorDatabase) -> None:
    db.make_docs(5)
    with db.connect() as conn:
        worker = threading.Thread(target=fails, args=(conn, "CALL vectorize.work(NULL, 60, true)"))
        worker.start()
        while db.status()["embedded"] < 5:
            pass
        db.execute("UPDATE docs SET body = 'a change' WHERE id = 3")
        while db.wrong():
            pass
        conn.cancel_safe()
        worker.join()
