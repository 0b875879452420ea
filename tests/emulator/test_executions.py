"""Executions of jobs: when one is due, what it runs, and that it ends with its job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.executions import matches
from tests.emulator.arm_daemon import GROUP, ArmDaemon

MINUTE = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)  # a Sunday
APP = f"{GROUP}/providers/Microsoft.App"


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("* * * * *", True),
        ("*/5 * * * *", True),
        ("*/7 * * * *", False),
        ("0,30 12 1 3 0", True),
        ("30 * * * 1", False),
        ("30 11 * * *", False),
        ("30 12 * *", False),
        ("None", False),
    ],
)
def test_a_schedule_is_cron_in_utc(expression: str, due: bool) -> None:
    assert matches(expression, MINUTE) is due


def make(arm: ArmDaemon, name: str, *, seconds: int = 60, **variables: str) -> str:
    """Make a job that is started by hand, and return its path."""
    arm.done("PUT", f"{APP}/managedEnvironments/of-jobs", {"location": "eastus2"})
    container = {
        "name": "worker",
        "image": "worker:1",
        "args": ["--json", "--until-done"],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
    }
    properties = {
        "environmentId": f"{APP}/managedEnvironments/of-jobs",
        "configuration": {"triggerType": "Manual", "replicaTimeout": seconds},
        "template": {"containers": [container]},
    }
    arm.done("PUT", f"{APP}/jobs/{name}", {"location": "eastus2", "properties": properties})
    return f"{APP}/jobs/{name}"


def printed(arm: ArmDaemon, name: str, until: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Wait until the executions of a job have printed something; return their lines."""
    path = arm.daemon.home.logs / f"job-{name}.log"
    deadline = time.monotonic() + 60
    while True:
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        if until(lines):
            return lines
        assert time.monotonic() < deadline, lines
        time.sleep(0.1)


def test_each_start_is_one_run_of_the_worker_with_what_its_container_says(arm: ArmDaemon) -> None:
    job = make(arm, "by-hand")
    for number in (1, 2):
        started = arm.call("POST", f"{job}/start").json()
        assert started["name"] == f"by-hand-{number:07d}"
        lines = printed(arm, "by-hand", lambda found, wanted=number: len(found) >= wanted)  # type: ignore[misc]
        assert [line["exit"] for line in lines] == [2] * number
    assert "Not set, and not said by --dsn either: PGHOST" in lines[0]["message"]


def test_an_execution_ends_with_its_job(arm: ArmDaemon) -> None:
    nowhere = {"PGHOST": "absent.postgres.database.azure.com", "PGDATABASE": "x", "PGUSER": "x", "PGPASSWORD": "x"}
    job = make(arm, "patient", **nowhere)
    arm.call("POST", f"{job}/start")
    printed(arm, "patient", lambda found: any(line["event"] == "trouble" for line in found))
    arm.done("DELETE", job)
    (end,) = printed(arm, "patient", lambda found: any(line["event"] == "end" for line in found))[-1:]
    assert end["message"] == "stopped by SIGTERM"
