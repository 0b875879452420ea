"""The worker pool on the emulator: its executions run, its identity can work and nothing else, and it goes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.stack.conftest import StackAtWork, Workplace

IDENTITY, SCALER = "id-local-pool-workers", "local-pool-scaler"
POOL = {"image": "registry.example.com/postgres-genai-worker:1.0", "everyMinutes": 30}
FORBIDDEN = (
    "SELECT * FROM public.validation_results",
    "UPDATE public.validation_results SET result = ''",
    "SELECT * FROM vectorize.search('validation-results', 'x')",
    "CALL vectorize.pause('validation-results')",
    "CALL vectorize.define('{}')",
    "UPDATE vectorize.deployment SET not_before = NULL",
    "SELECT azure_ai.set_setting('azure_openai.endpoint', 'https://elsewhere.example.com')",
    "CREATE TABLE public.mine ()",
    "CREATE TABLE vectorize.mine ()",
    "CREATE ROLE another",
    "SET ROLE vectorize_owner",
    "SET ROLE azure_pg_admin",
    "COPY (SELECT 1) TO PROGRAM 'true'",
)
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def pool(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("pool")
    job = {"table": "public.validation_results", "template": "{result}", "deployment": "embedding"}
    stack.write(
        **{
            **small,
            "sample": True,
            "jobs": {"validation-results": job},
            "firewall": {},
            "network": {"mode": "private-endpoint"},
            "workers": {"pool": POOL},
        }
    )
    stack.up()
    yield stack
    stack.run("destroy")


def resource(stack: StackAtWork, kind: str) -> dict[str, Any]:
    """Return the resource of this kind from the stack's state."""
    state: dict[str, Any] = json.loads(stack.engine("stack", "export"))
    (found,) = [one for one in state["deployment"]["resources"] if one["type"].endswith(f":{kind}")]
    return dict(found)


@pytest.fixture(scope="module")
def as_identity(pool: StackAtWork) -> Callable[[], psycopg.Connection[Any]]:
    """Connects as the job's identity."""
    password = pool.token(IDENTITY, resource(pool, "UserAssignedIdentity")["outputs"]["principalId"])
    return lambda: pool.connect(user=IDENTITY, password=password)


def change_rows(stack: StackAtWork) -> int:
    """Give the job something to do; return how many rows."""
    with stack.connect() as conn:
        return conn.execute("UPDATE public.validation_results SET result = result || '!'").rowcount


def wait_for_vectors(stack: StackAtWork, rows: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    with stack.connect() as conn:
        while True:
            left = conn.execute("SELECT pending + leased + quarantined, embedded FROM vectorize.status").fetchone()
            if left == (0, rows):
                return
            assert time.monotonic() < deadline, (left, log(stack))
            time.sleep(0.2)


def log(stack: StackAtWork) -> str:
    """Return what the executions of the job have printed."""
    path = stack.place.homes / "emulator" / "logs" / "job-workers.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def wait_for_end(stack: StackAtWork, executions: int) -> list[dict[str, Any]]:
    """Wait until so many executions have ended; return how they did."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        lines = [json.loads(line) for line in log(stack).splitlines()]
        ends = [line for line in lines if line["event"] == "end"]
        if len(ends) >= executions:
            return ends
        assert time.monotonic() < deadline, log(stack)
        time.sleep(0.2)


def test_a_second_up_changes_nothing_and_a_refresh_finds_no_drift(pool: StackAtWork) -> None:
    pool.run("up", "--expect-no-changes")
    pool.run("refresh", "--expect-no-changes")
    pool.run("up", "--expect-no-changes")


def test_an_execution_embeds_what_waits_and_ends(
    pool: StackAtWork, as_identity: Callable[[], psycopg.Connection[Any]]
) -> None:
    rows = change_rows(pool)
    with as_identity() as conn:
        assert conn.execute("SELECT vectorize.wanted_workers()").fetchone() == (1,)
        pool.arm("POST", f"{resource(pool, 'app:Job')['id']}/start", version="2025-01-01")
        wait_for_vectors(pool, rows)
        (end,) = wait_for_end(pool, 1)
        assert end["exit"] == 0, log(pool)
        assert conn.execute("SELECT vectorize.wanted_workers()").fetchone() == (0,)
    assert f" as {IDENTITY}" in log(pool)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_identity_can_do_nothing_else(as_identity: Callable[[], psycopg.Connection[Any]], statement: str) -> None:
    with as_identity() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())


def test_another_identity_is_not_let_in_as_this_one(pool: StackAtWork) -> None:
    stranger = pool.token(IDENTITY, "00000000-0000-4000-8000-00000000ffff")
    with pytest.raises(psycopg.OperationalError):
        pool.connect(user=IDENTITY, password=stranger)


def test_a_right_that_somebody_added_is_taken_back(pool: StackAtWork) -> None:
    with pool.connect() as admin:
        admin.execute(f'GRANT vectorize_admin TO "{IDENTITY}"'.encode())
        pool.run("refresh")
        pool.up()
        held = admin.execute(f"SELECT pg_has_role('{IDENTITY}', 'vectorize_admin', 'MEMBER')".encode()).fetchone()
        assert held == (False,)


def test_the_queue_starts_executions_by_itself(pool: StackAtWork) -> None:
    def with_queue(values: dict[str, Any]) -> None:
        values["workers"]["pool"] |= {"trigger": "queue", "pollingSeconds": 10}
        values["authentication"] |= {"password": True, "administratorLogin": "pgadmin"}

    pool.edit(with_queue)
    pool.up()
    pool.run("up", "--expect-no-changes")
    password = json.loads(pool.engine_quietly("stack", "export", "--show-secrets"))["deployment"]["resources"]
    (secret,) = [one["outputs"]["result"] for one in password if one["urn"].endswith("-scaler-password")]
    secret = secret["plaintext"].strip('"') if isinstance(secret, dict) else secret
    assert secret not in pool.state()
    with pool.connect(user=SCALER, password=secret) as scaler:
        assert scaler.execute("SELECT vectorize.wanted_workers(10000, 4)").fetchone() == (0,)
        for statement in (*FORBIDDEN, "CALL vectorize.work(NULL, 1)", "SELECT * FROM vectorize.status"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                scaler.execute(statement.encode())
    ended = len(wait_for_end(pool, 1))
    wait_for_vectors(pool, change_rows(pool))
    assert wait_for_end(pool, ended + 1)[-1]["exit"] == 0


def test_without_the_pool_its_roles_are_gone(pool: StackAtWork) -> None:
    pool.edit(lambda values: values.pop("workers"))
    pool.up()
    with pool.connect() as admin:
        left = admin.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [[IDENTITY, SCALER]])
        assert left.fetchall() == []
