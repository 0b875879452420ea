"""Where the standing worker connects to, what it refuses, and what its lines look like."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from database import worker
from database.standing import Exit
from database.vectorization import JobStatus
from database.worker import UsageError, connection_spec
from database.worker_log import Log

HERE = {"PGHOST": "pg-1.example", "PGDATABASE": "contracts", "PGUSER": "embedder"}
JOB = JobStatus(
    name="docs",
    table="public.docs",
    state="active",
    reason=None,
    rows=10,
    embedded=4,
    empty=0,
    pending=5,
    leased=1,
    quarantined=0,
    tokens=100,
    cost_usd=0.1,
    rows_per_second=2.25,
    eta_seconds=3,
    index_state="none",
    last_error=None,
    generation=1,
    next_generation=None,
    next_embedded=None,
    caught_up=False,
    changes=0,
    pending_seconds=None,
)


def test_libpq_s_variables_say_where() -> None:
    spec = connection_spec("", {**HERE, "PGPASSWORD": "swordfish", "PGPORT": "5433", "PGSSLMODE": "require"})
    assert (spec.host, spec.database, spec.user, spec.password) == (
        "pg-1.example",
        "contracts",
        "embedder",
        "swordfish",
    )
    assert spec.parameters == {"port": "5433", "sslmode": "require"}
    assert spec.authentication == "password"
    assert "swordfish" not in repr(spec)


def test_a_connection_string_wins() -> None:
    spec = connection_spec("postgresql://other@pg-2.example:5434/notes?connect_timeout=3", HERE)
    assert (spec.host, spec.database, spec.user, spec.password) == ("pg-2.example", "notes", "other", None)
    assert spec.parameters == {"port": "5434", "connect_timeout": "3"}


def test_with_a_token_no_password_is_used() -> None:
    spec = connection_spec("", {**HERE, "PGPASSWORD": "swordfish"}, entra=True, token_scope="https://x/.default")
    assert (spec.authentication, spec.password, spec.token_scope) == ("entra", None, "https://x/.default")


def test_a_token_needs_the_cloud_that_it_is_for() -> None:
    with pytest.raises(UsageError, match="`tokenScope` in the stack's output `connection`"):
        connection_spec("", HERE, entra=True)


@pytest.mark.parametrize(
    ("dsn", "environment", "says"),
    [
        ("", {}, "Not set, and not said by --dsn either: PGHOST, PGDATABASE, PGUSER"),
        ("host=pg-1.example", {}, "PGDATABASE, PGUSER"),
        ("port=6432", HERE, "PgBouncer"),
        ("", {**HERE, "PGPORT": "6432"}, "name the port of the server itself"),
        ("host=a,b port=5432,6432", HERE, "PgBouncer"),
        ("password=swordfish nonsense", HERE, "no connection string"),
    ],
)
def test_what_is_refused(dsn: str, environment: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        connection_spec(dsn, environment)
    assert "swordfish" not in str(refused.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--connections", "0"],
        ["--connections", "65"],
        ["--seconds", "0"],
        ["--seconds", "soon"],
        ["--health-seconds", "inf"],
        ["--until", "tomorrow"],
    ],
)
def test_mistakes_in_the_arguments_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        worker.main(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_no_place_to_connect_to_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in HERE:
        monkeypatch.delenv(name, raising=False)
    assert worker.main(["--json"]) == 2
    event = json.loads(capsys.readouterr().out)
    assert (event["event"], event["exit"]) == ("end", 2)


def test_every_exit_status_is_in_the_help_and_on_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "workers.md").read_text(encoding="utf-8")
    for code in Exit:
        assert f"\n  {int(code)}  " in worker._EXITS
        assert f"\n| {int(code)} | " in page


def health(capsys: pytest.CaptureFixture[str], *jobs: JobStatus, trouble: str | None = None) -> tuple[str, Any]:
    for as_json in (False, True):
        Log(as_json=as_json).health(jobs, 8, trouble)
    text, line = capsys.readouterr().out.splitlines()
    return text.partition(" ")[2], json.loads(line)


def test_a_health_line_sums_up_the_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    text, values = health(capsys, JOB, replace(JOB, name="notes", state="stopped", reason="401", last_error="401"))
    assert text == (
        "4.5 rows/s, 8 embedded, 10 pending, 2 leased, 0 in quarantine, 8 connections, stopped: notes, last error: 401"
    )
    assert values["message"] == text
    assert (values["rowsPerSecond"], values["pending"], values["connections"]) == (4.5, 10, 8)
    assert (values["stopped"], values["lastError"]) == ({"notes": "401"}, "401")


def test_without_jobs_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    text, values = health(capsys)
    assert text == "0 rows/s, 0 embedded, 0 pending, 0 leased, 0 in quarantine, 8 connections"
    assert values["lastError"] is None
    assert health(capsys, trouble="no route")[1]["lastError"] == "no route"
