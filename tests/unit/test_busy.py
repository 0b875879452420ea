"""A change that met somebody busy is begun again, so often and no more; one that failed for another reason is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tools import busy
from tools.events import Events

BUSY = 'Status=409 Code="ServerIsBusy" Message="Cannot complete operation while server \'psql\' is busy"'
URN = "urn:pulumi:dev::postgres-genai::azure-native:dbforpostgresql:Database::server-database"
ACCOUNT = "urn:pulumi:dev::postgres-genai::azure-native:cognitiveservices:Deployment::ai-deployment-embedding"


def failed(urn: str, *said: str, done: int = 0) -> Events:
    """Return what a round reports in which one resource failed and so many others were made."""
    events = Events()
    for number in range(done):
        made = f"urn:pulumi:dev::postgres-genai::x:y:Z::made-{number}"
        data = {"op": "create", "urn": made, "type": "x:y:Z", "new": {"custom": True, "type": "x:y:Z", "inputs": {}}}
        events.take({"timestamp": 1, "resourcePreEvent": {"metadata": data}})
        events.take({"timestamp": 2, "resOutputsEvent": {"metadata": data}})
    data = {"op": "create", "urn": urn, "type": "x:y:Z", "new": {"custom": True, "type": "x:y:Z", "inputs": {}}}
    events.take({"timestamp": 2, "resourcePreEvent": {"metadata": data}})
    for text in said:
        events.take({"timestamp": 3, "diagnosticEvent": {"urn": urn, "severity": "error", "message": text}})
    events.take({"timestamp": 3, "resOpFailedEvent": {"metadata": data}})
    return events


@dataclass
class Engine:
    """Plays the engine: so many rounds that fail, then one that does not."""

    rounds: list[Events]
    ran: int = 0
    pauses: list[float] = field(default_factory=list)

    def change(self, operation: str, arguments: list[str], *, to: Any = None) -> tuple[int, Events]:
        self.ran += 1
        return (255, self.rounds[self.ran - 1]) if self.ran <= len(self.rounds) else (0, Events())

    def run(self) -> int:
        return busy.change(self, "up", ["--yes"], sleep=self.pauses.append)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("code", busy.CODES)
def test_it_goes_on_once_nobody_is_busy_and_says_who_was(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine([failed(URN, f'Code="{code}" Message="not now"', done=2)])
    assert engine.run() == 0
    assert engine.pauses == [5]
    assert f"Busy: server-database ({code}). Nothing is lost; round 2 begins in 5 s." in capsys.readouterr().err


def test_rounds_that_get_nowhere_are_farther_and_farther_apart_and_end() -> None:
    engine = Engine([failed(URN, BUSY)] * 100)
    assert engine.run() == 255
    assert engine.pauses == [10, 20, 40, 60, 60]
    assert engine.ran == 6


def test_a_round_that_gets_further_begins_the_count_anew_and_there_is_an_end_to_that_too() -> None:
    engine = Engine([failed(URN, BUSY)] * 3 + [failed(URN, BUSY, done=1)] * 100)
    assert engine.run() == 255
    assert engine.pauses[:5] == [10, 20, 40, 5, 5]
    assert engine.ran == busy.MOST_ROUNDS


def test_another_mistake_beside_it_ends_it_at_once() -> None:
    events = failed(URN, BUSY)
    other = failed(ACCOUNT, 'Code="InsufficientQuota" Message="no"')
    events.failed |= other.failed
    events.errors |= other.errors
    for wrong in (events, other, failed(URN), Events()):
        engine = Engine([wrong] * 9)
        assert engine.run() == 255
        assert engine.ran == 1
        assert engine.pauses == []


def test_a_word_of_the_user_is_no_code() -> None:
    assert busy.met(failed(URN, "no ServerIsBusyTable")) == {}
    assert busy.met(failed(URN, "x", BUSY)) == {"server-database": "ServerIsBusy"}
