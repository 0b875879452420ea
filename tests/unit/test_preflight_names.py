"""What a preflight says of names: free, taken, soft-deleted, and private zones of somebody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.unit.preflight_stack import state, statuses, wanted
from tools.preflight import dns_zones, names
from tools.preflight.finding import OK, PROBLEM, WARNING
from tools.preflight.resource_manager import NotReadError


class Answers:
    """Stands for Resource Manager: answers by the end of the path, in the order in which they are given."""

    scope = "/subscriptions/s"

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def _answer(self, path: str) -> Any:
        answer = self.answers[path.rpartition("/")[2].replace("-", "_")]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get(self, path: str) -> Any:
        return self._answer(path)

    def list(self, path: str) -> Any:
        return self._answer(path)

    def ask(self, path: str, body: Any) -> Any:
        return self._answer(path)


GONE = {
    "name": "oai-pgai-dev-a1b2c3",
    "id": "/subscriptions/s/providers/Microsoft.CognitiveServices/locations/eastus2/resourceGroups/rg-pgai-dev/"
    "deletedAccounts/oai-pgai-dev-a1b2c3",
}
FREE = NotReadError("ResourceGroupNotFound", "ResourceGroupNotFound", 404)


def test_names_that_are_free_or_not_known_yet_are_all_right() -> None:
    findings = names.check(wanted(), Answers(rg_pgai_dev=FREE, deletedAccounts=[]))  # type: ignore[arg-type]
    assert statuses(findings) == [OK, OK]
    assert "a suffix that the first `up` draws" in findings[1].found


def test_taken_and_soft_deleted_names_are_said_with_the_command() -> None:
    manager = Answers(
        rg_pgai_dev={"location": "westus"},
        checkNameAvailability={"nameAvailable": False, "message": "Specified server name is already used."},
        deletedAccounts=[GONE],
        checkDomainAvailability={"isSubdomainAvailable": False, "reason": "already used"},
    )
    findings = names.check(wanted(state()), manager)  # type: ignore[arg-type]
    assert statuses(findings) == [PROBLEM] * 4
    group, server, openai, language = findings
    assert "resource group rg-pgai-dev in westus that this stack does not know" in group.found
    assert "psql-pgai-dev-a1b2c3 is taken" in server.found
    assert openai.do == (
        "Purge it: az cognitiveservices account purge --location eastus2 --resource-group rg-pgai-dev "
        "--name oai-pgai-dev-a1b2c3"
    )
    assert "lang-pgai-dev-a1b2c3 is taken: already used" in language.found


def test_accounts_of_an_earlier_life_are_a_warning() -> None:
    earlier = {**GONE, "name": "oai-pgai-dev-zzzzzz"}
    other = {**GONE, "name": "oai-pgai-staging-zzzzzz"}
    (found,) = names.leftovers(wanted(state()), [earlier, other], "GET deletedAccounts")
    assert found.status == WARNING
    assert "oai-pgai-dev-zzzzzz" in found.found
    assert "staging" not in found.found


def test_a_zone_of_somebody_else_is_a_warning() -> None:
    stack = replace(wanted(), private_zones=("a.private.example", "b.private.example"))
    listed = [
        {"name": "a.private.example", "id": "/subscriptions/s/resourceGroups/hub/providers/x/a.private.example"},
        {
            "name": "b.private.example",
            "id": "/subscriptions/s/resourceGroups/RG-pgai-dev/providers/x/b.private.example",
        },
    ]
    assert statuses(dns_zones.judge(stack, listed, "GET zones")) == [WARNING, OK]
    assert statuses(dns_zones.check(wanted(), Answers())) == [OK]  # type: ignore[arg-type]


def test_a_vault_has_a_name_that_a_deleted_one_holds() -> None:
    keys = {"authentication": "keys"}
    stack = wanted(state(), ai=keys, keyVault={"enabled": True})
    assert stack.vault is not None
    assert stack.vault.name == "kv-pgai-a1b2c3"
    free = {"nameAvailable": True, "isSubdomainAvailable": True}
    manager = Answers(
        rg_pgai_dev=FREE,
        checkNameAvailability=free,
        checkDomainAvailability=free,
        deletedAccounts=[],
        deletedVaults=[{"name": "kv-pgai-a1b2c3", "properties": {"scheduledPurgeDate": "2026-12-01"}}],
    )
    *others, vault = names.check(stack, manager)  # type: ignore[arg-type]
    assert statuses(others) == [OK] * 4
    assert (vault.status, "until 2026-12-01" in vault.found) == (PROBLEM, True)
    manager.answers["deletedVaults"] = []
    assert names.check(stack, manager)[-1].found == "The vault's name kv-pgai-a1b2c3 is free."  # type: ignore[arg-type]
