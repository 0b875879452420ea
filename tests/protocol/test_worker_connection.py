"""The standing worker on the way that a server on Azure wants: TLS that is verified, and a password in no line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.protocol.local_server import HOST, PASSWORD, USER, LocalServer

ROOT = Path(__file__).resolve().parents[2]


def check(server: LocalServer, database: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Ask once; there is no engine in the database, which the answer says when it was reached."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    where = {"PGHOST": HOST, "PGDATABASE": database, "PGUSER": USER, "PGPASSWORD": PASSWORD}
    ran = subprocess.run(
        [sys.executable, "-m", "database.worker", "--check", *arguments],
        cwd=ROOT,
        env={**kept, **server.environment, **where, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert PASSWORD not in ran.stdout + ran.stderr
    assert ran.stderr == ""
    return ran


def test_it_verifies_the_server_and_signs_in_with_the_password(server: LocalServer, database: str) -> None:
    ran = check(server, database)
    assert ran.returncode == 3
    assert f"database {database} has nothing of sql/vectorize: run `pulumi up` first." in ran.stdout


def test_a_connection_string_may_hold_the_password(server: LocalServer, database: str) -> None:
    ran = check(server, database, "--dsn", f"host={HOST} password={PASSWORD}", PGPASSWORD="another")
    assert ran.returncode == 3


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"PGPASSWORD": "another"}, "the server refused the credentials"),
        ({"PGHOST": "other.postgres.database.azure.com"}, "certificate could not be verified"),
        ({"PGDATABASE": "nothing"}, "the server has no database of this name"),
    ],
    ids=["password", "name", "database"],
)
def test_what_goes_wrong_is_explained(
    server: LocalServer, database: str, environment: dict[str, str], says: str
) -> None:
    ran = check(server, database, **environment)
    assert ran.returncode == 1
    assert says in ran.stdout
