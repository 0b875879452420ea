"""The process in which embeddings are computed: it is replaced when it was killed, and never outlives the emulator."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest

from emulator.ai.computing import ONLY_IDLE, OwnProcess
from emulator.ai.errors import ServiceError, invalid_request
from tests.emulator.orphans import WAIT_SECONDS, outlives_its_parent


@pytest.fixture
def own_process() -> Iterator[OwnProcess]:
    """Return one whose process ends with the test."""
    process = OwnProcess()
    yield process
    process.shutdown()


def refuse() -> None:
    """Refuse, as a request that is too long is refused."""
    raise invalid_request("too long", "max_tokens_per_request")


def test_it_is_another_process_behind_postgresql(own_process: OwnProcess) -> None:
    """A computation must not hold the interpreter of the gateway, nor take the processor from the database."""
    assert own_process.submit(os.getpid).result(WAIT_SECONDS) != os.getpid()
    assert own_process.submit(os.nice, 0).result(WAIT_SECONDS) > os.nice(0)


def test_it_takes_only_idle_processors_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """For measurements of what a client's statements take beside it."""
    monkeypatch.setenv(ONLY_IDLE, "1")
    process = OwnProcess()
    try:
        assert process.submit(os.sched_getscheduler, 0).result(WAIT_SECONDS) == os.SCHED_IDLE
    finally:
        process.shutdown()


def test_a_refusal_comes_back_whole(own_process: OwnProcess) -> None:
    """The client must see the service's own body and status, wherever they were made."""
    with pytest.raises(ServiceError) as caught:
        own_process.submit(refuse).result(WAIT_SECONDS)
    assert caught.value.status == 400
    assert caught.value.body["error"]["code"] == "max_tokens_per_request"


def test_a_killed_process_is_replaced(own_process: OwnProcess) -> None:
    """What it worked on fails, as with a service that goes down; what comes after it does not."""
    killed = own_process.submit(os.getpid).result(WAIT_SECONDS)
    os.kill(killed, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(killed)] if psutil.pid_exists(killed) else [], timeout=WAIT_SECONDS)
    try:
        answered = own_process.submit(os.getpid).result(WAIT_SECONDS)
    except BrokenProcessPool:  # the executor had not noticed yet
        answered = own_process.submit(os.getpid).result(WAIT_SECONDS)
    assert answered != killed


def test_it_ends_when_the_emulator_is_killed(tmp_path: Path) -> None:
    """A `kill -9` of the emulator leaves nothing behind."""
    script = """
        import os, time
        from emulator.ai.computing import OwnProcess
        if __name__ == "__main__":
            own = OwnProcess()
            print(own.submit(os.getpid).result(), flush=True)
            time.sleep(600)
    """
    assert not outlives_its_parent(tmp_path, script)
