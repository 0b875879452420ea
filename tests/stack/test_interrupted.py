"""kill -9 of the engine half-way through a backfill, and `up` again: no row lost, none embedded twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.stack.conftest import StackAtWork, Workplace

ROWS = 4000
BATCH = 5
WORKERS = 2


@pytest.fixture(scope="module")
def killed(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("killed")
    stack.write(**{**small, "namePrefix": "killed"})
    stack.up()
    with stack.connect() as connection:
        connection.execute("CREATE TABLE public.letters (id bigint PRIMARY KEY, body text NOT NULL)")
        connection.execute(
            "INSERT INTO public.letters SELECT n, 'Letter ' || n || ' is about parcel ' || n * 7"
            " FROM generate_series(1, %s) AS n",
            [ROWS],
        )
    yield stack
    stack.run("destroy")


def usage(place: Workplace, stack: StackAtWork) -> int:
    """Return how many texts the stack's deployment has embedded so far."""
    account = str(stack.outputs()["openaiEndpoint"]).split("//")[1].split(".")[0]
    counters = place.data("status", module="emulator")["usage"].get(account, {})
    return int(counters.get("embedding", {}).get("inputs", 0))


def engine_of(process: psutil.Process) -> psutil.Process:
    """Return the engine that a command runs."""
    return next(child for child in process.children(recursive=True) if child.name() == "pulumi")


def test_a_killed_backfill_goes_on_and_pays_for_no_row_twice(place: Workplace, killed: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["jobs"] = {
            "letters": {
                "table": "public.letters", "template": "{body}", "deployment": "embedding",
                "target": {"kind": "table"}, "batchSize": BATCH, "workers": WORKERS,
            }
        }  # fmt: skip

    paid_before = usage(place, killed)
    killed.edit(change)
    command = place.start("up", "--stack", "killed")
    try:
        limit = time.monotonic() + 120
        while usage(place, killed) - paid_before < ROWS // 10:
            assert command.poll() is None, command.communicate()[0]
            assert time.monotonic() < limit, "the backfill did not begin"
        engine = engine_of(psutil.Process(command.pid))
        plugins = engine.children(recursive=True)
        engine.send_signal(signal.SIGKILL)
        printed = command.communicate(timeout=60)[0]
    finally:
        if command.poll() is None:
            command.kill()
            command.communicate()
    place.printed.append(printed)
    assert command.returncode != 0
    psutil.wait_procs(plugins, timeout=30)
    assert not [plugin for plugin in plugins if plugin.is_running()]
    done = killed.status()["jobs"]["letters"]["embedded"]
    assert 0 < done < ROWS, "the kill came in the middle"

    printed = killed.run("up")
    assert "Cleared the lock of a run that died" in printed
    job = killed.status()["jobs"]["letters"]
    assert (job["embedded"], job["pending"], job["quarantined"]) == (ROWS, 0, 0)
    # What was in flight at the kill may be asked for again; nothing else is, and the test call of azure_ai is one text.
    in_flight = WORKERS * BATCH
    assert usage(place, killed) - paid_before <= ROWS + in_flight + 1
    killed.run("up", "--expect-no-changes")
