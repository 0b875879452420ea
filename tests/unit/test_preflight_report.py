"""How a preflight asks and reports: side by side, page by page, and with an exit status."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.unit.preflight_stack import statuses
from tools.commands import preflight
from tools.commands.preflight import sentence
from tools.engine.find import Engine
from tools.failure import Failure
from tools.preflight.checking import Report, at_once
from tools.preflight.finding import OK, PROBLEM, UNKNOWN, WARNING, Finding, exit_status, worst
from tools.preflight.resource_manager import NotReadError, ResourceManager, version_of
from tools.pulumi import Pulumi


@pytest.mark.parametrize(
    ("there", "status", "code"),
    [
        ([OK, OK], OK, 0),
        ([OK, WARNING], WARNING, 0),
        ([WARNING, UNKNOWN], UNKNOWN, 2),
        ([UNKNOWN, PROBLEM], PROBLEM, 1),
        ([], OK, 0),
    ],
)
def test_the_exit_status(there: list[str], status: str, code: int) -> None:
    findings = [Finding(check="c", status=one, found="f") for one in there]
    assert (worst(findings), exit_status(findings)) == (status, code)


def test_the_data_keep_their_keys() -> None:
    report = Report("dev", "eastus2", "s", [Finding(check="c", status=OK, found="f", do="d", read="r")], 1.26)
    assert report.to_json() == {
        "stack": "dev",
        "location": "eastus2",
        "subscription": "s",
        "status": "ok",
        "seconds": 1.3,
        "checks": [{"check": "c", "status": "ok", "found": "f", "do": "d", "read": "r"}],
    }
    assert sentence(report) == "preflight of dev in eastus2: 1 all right"


def test_what_is_late_refused_or_not_understood_hides_nothing_else() -> None:
    release = threading.Event()

    def late() -> list[Finding]:
        release.wait(30)
        return []

    def refused() -> list[Finding]:
        raise NotReadError("AuthorizationFailed: no")

    def strange() -> list[Finding]:
        raise KeyError("name")

    ok = Finding(check="fine", status=OK, found="f")
    try:
        found = at_once({"late": late, "fine": lambda: [ok], "refused": refused, "strange": strange}, 0.5)
    finally:
        release.set()
    assert [finding.check for finding in found] == ["late", "fine", "refused", "strange"]
    assert statuses(found) == [UNKNOWN, OK, UNKNOWN, UNKNOWN]
    assert "did not answer within" in found[0].found
    assert found[2].found == "Not checked: AuthorizationFailed: no."
    assert "was not understood" in found[3].found


def test_a_preflight_that_could_not_be_made_beside_a_preview_says_why_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistaken(*_: object, **__: object) -> Report:
        raise Failure("the config has mistakes", "1 mistake in the config of stack 'dev'; nothing was changed:\n  ...")

    monkeypatch.setattr(preflight, "take_on", lambda _: None)
    monkeypatch.setattr(preflight, "gather", mistaken)
    (line,) = preflight.Beside(Pulumi(Engine(Path("pulumi"), "none"), "dev", {}), 5).lines()
    assert line == (
        "preflight: not made, because the config has mistakes. To make it alone: make preflight STACK=dev TARGET=azure"
    )


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/subscriptions/s", "2022-12-01"),
        ("/subscriptions/s/providers", "2021-04-01"),
        ("/subscriptions/s/resourceGroups/rg", "2024-03-01"),
        ("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Authorization/permissions", "2022-04-01"),
        ("/subscriptions/s/providers/Microsoft.DBforPostgreSQL/checkNameAvailability", "2025-08-01"),
        ("/subscriptions/s/providers/Microsoft.CognitiveServices/locations/eastus2/usages", "2025-06-01"),
        ("/subscriptions/s/providers/Microsoft.Network/privateDnsZones", "2024-06-01"),
    ],
)
def test_each_question_has_its_version(path: str, version: str) -> None:
    assert version_of(path) == version


class Pages(ResourceManager):
    """Resource Manager with a list of three pages, the last of them at another address."""

    def __init__(self) -> None:
        self._base = "https://arm.example"
        self.asked: list[str] = []

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        self.asked.append(path)
        following = "https://arm.example/list?page=2" if len(self.asked) == 1 else "https://elsewhere.example/list"
        return {"value": [{"name": str(len(self.asked))}], "nextLink": following}


def test_a_list_is_read_page_by_page_and_never_at_another_address() -> None:
    pages = Pages()
    assert [item["name"] for item in pages.list("/list")] == ["1", "2"]
    assert pages.asked == ["/list", "https://arm.example/list?page=2"]
