"""The worker pool on the emulator: it comes up, stays as it is, its identity can work and nothing else, and it goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import requests

from emulator.state import Home, Settings
from tests.stack.conftest import SECONDS, StackAtWork, Workplace

IDENTITY = "id-local-pool-workers"
POOL = {"image": "registry.example.com/postgres-genai-worker:1.0"}
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


@pytest.fixture(scope="module")
def pool(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("pool")
    job = {"table": "public.validation_results", "template": "{result}", "deployment": "embedding"}
    stack.write(
        **{
            **small,
            "sample": True,
            "jobs": {"validation-results": job},
            "firewall": {**small["firewall"], "allowAzureServices": True},
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
def execution(pool: StackAtWork) -> dict[str, str]:
    """What an execution of the job has: libpq's variables, and a token of the job's identity as its password."""
    settings = Settings.read(Home(pool.place.homes / "emulator"))
    identity = resource(pool, "UserAssignedIdentity")
    answer = requests.post(
        f"http://127.0.0.1:{settings.http_port}/emulator/tokens",
        json={
            "objectId": identity["outputs"]["principalId"],
            "name": IDENTITY,
            "kind": "ServicePrincipal",
            "resource": "https://ossrdbms-aad.database.windows.net",
        },
        headers={"X-Emulator-Secret": settings.control_secret},
        timeout=30,
    )
    shown = pool.variables()
    names = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSSLMODE", "PGSSLROOTCERT")
    return {name: shown[name] for name in names} | {"PGUSER": IDENTITY, "PGPASSWORD": answer.json()["access_token"]}


def connect(execution: dict[str, str]) -> psycopg.Connection[Any]:
    names = {
        "PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user",
        "PGPASSWORD": "password", "PGSSLMODE": "sslmode", "PGSSLROOTCERT": "sslrootcert",
    }  # fmt: skip
    return psycopg.connect(**{names[name]: value for name, value in execution.items()}, autocommit=True)


def test_a_second_up_changes_nothing_and_a_refresh_finds_no_drift(pool: StackAtWork) -> None:
    pool.run("up", "--expect-no-changes")
    pool.run("refresh", "--expect-no-changes")
    pool.run("up", "--expect-no-changes")


def test_the_identity_embeds_what_waits(pool: StackAtWork, execution: dict[str, str]) -> None:
    arguments = resource(pool, "app:Job")["inputs"]["template"]["containers"][0]["args"]
    with pool.connect() as admin:
        changed = admin.execute("UPDATE public.validation_results SET result = result || '!'").rowcount
        assert changed > 0
        with connect(execution) as conn:
            assert conn.execute("SELECT vectorize.wanted_workers()").fetchone() == (1,)
        done = subprocess.run(
            [sys.executable, "-m", "database.worker", *arguments], cwd=pool.place.root, capture_output=True, text=True,
            env={**os.environ, **execution}, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        row = admin.execute("SELECT pending + leased + quarantined, embedded FROM vectorize.status").fetchone()
        assert row == (0, changed)
    with connect(execution) as conn:
        assert conn.execute("SELECT vectorize.wanted_workers()").fetchone() == (0,)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_identity_can_do_nothing_else(execution: dict[str, str], statement: str) -> None:
    with connect(execution) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())


def test_a_right_that_somebody_added_is_taken_back(pool: StackAtWork) -> None:
    with pool.connect() as admin:
        admin.execute(f'GRANT vectorize_admin TO "{IDENTITY}"'.encode())
        pool.run("refresh")
        pool.up()
        held = admin.execute(f"SELECT pg_has_role('{IDENTITY}', 'vectorize_admin', 'MEMBER')".encode()).fetchone()
        assert held == (False,)


def test_without_the_pool_the_role_is_gone(pool: StackAtWork) -> None:
    pool.edit(lambda values: values.pop("workers"))
    pool.up()
    with pool.connect() as admin:
        assert admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [IDENTITY]).fetchone() is None
