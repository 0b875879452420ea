"""The preflight against Resource Manager: what it says of every stack, and of what stands in a stack's way."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.settings import StackSettings
from emulator.state import SUBSCRIPTION_ID
from tests.emulator.arm_daemon import COGNITIVE, GROUP, RESOURCES, ArmDaemon, account_body, deployment_body
from tools.preflight.checking import Report, report
from tools.preflight.finding import OK, PROBLEM, UNKNOWN
from tools.preflight.wanted import wanted_of
from tools.stack import config_values

ROOT = Path(__file__).parents[2]
SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
Look = Callable[..., Report]


@pytest.fixture
def look(arm: ArmDaemon, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Make the preflight of a stack in the emulator's environment."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "ARM_")) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in arm.environment.items():
        monkeypatch.setenv(name, value)

    def of(
        stack: str = "local",
        resources: list[dict[str, Any]] | None = None,
        environment: Mapping[str, str] = arm.environment,
        change: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Report:
        parsed = StackSettings.parse({**config_values(stack), **settings}, stack=stack)
        wanted = replace(wanted_of(parsed, stack, resources or []), **(change or {}))
        return report(wanted, stack, {}, environment, seconds=30)

    return of


def wrong(found: Report) -> dict[str, str]:
    """Return what is not all right, by check."""
    return {finding.check: f"{finding.found} {finding.do}" for finding in found.findings if finding.status != OK}


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_stands_in_the_way_of_any_stack(arm: ArmDaemon, look: Look, stack: str) -> None:
    before = arm.daemon.store.revision
    found = look(stack)
    assert [finding for finding in found.findings if finding.status in (PROBLEM, UNKNOWN)] == []
    assert found.exit_status == 0
    assert {"sign-in", "rights", "resource providers", "server", "extensions", "models", "quota", "names"} <= {
        finding.check for finding in found.findings
    }
    assert arm.daemon.store.revision == before, "a preflight changes nothing"


def test_no_secret_is_in_what_it_says(arm: ArmDaemon, look: Look) -> None:
    said = json.dumps(look().to_json())
    assert arm.environment["IDENTITY_HEADER"] not in said
    assert "eyJ" not in said, "a token"


@pytest.fixture
def unregistered(arm: ArmDaemon) -> Iterator[None]:
    """A subscription that never had an AI account."""
    path = f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices"
    arm.done("POST", f"{path}/unregister", version="2021-04-01")
    yield
    arm.done("POST", f"{path}/register", version="2021-04-01")


def test_a_provider_that_is_not_registered(look: Look, unregistered: None) -> None:
    found = look()
    assert found.exit_status == 1
    assert "az provider register --namespace Microsoft.CognitiveServices" in wrong(found)["resource providers"]


def test_what_the_region_lacks_and_what_the_quota_has_no_room_for(look: Look) -> None:
    deployments = {
        "embedding": {"model": "text-embedding-3-small", "sku": "Standard", "capacity": 351},
        "chat": {"model": "gpt-5.5", "capacity": 10},
    }
    found = look(deployments=deployments, jobs={}, sample=False)
    said = [f"{finding.check}: {finding.found} {finding.do}" for finding in found.findings if finding.status == PROBLEM]
    assert any("deployments.chat: gpt-5.5 is not in eastus2" in line for line in said)
    assert any("351 asked; 350 of 350 free" in line and "Lower the capacity to 350" in line for line in said)
    elsewhere = look(location="westeurope", deployments={"embedding": deployments["embedding"]}, jobs={}, sample=False)
    assert "has no Standard in westeurope" in wrong(elsewhere)["models"]


def test_names_of_an_interrupted_stack_that_others_took(arm: ArmDaemon, look: Look) -> None:
    suffix = {
        "type": "random:index/randomString:RandomString",
        "urn": "urn:pulumi:local::postgres-genai::random:index/randomString:RandomString::suffix",
        "outputs": {"result": "taken1"},
    }
    group = f"{SUBSCRIPTION}/resourceGroups/rg-local-local"
    account = f"{group}/providers/Microsoft.CognitiveServices/accounts/oai-local-local-taken1"
    arm.done("PUT", group, {"location": "eastus2"}, RESOURCES)
    arm.done("PUT", account, account_body(customSubDomainName="oai-local-local-taken1"), COGNITIVE)
    arm.done("PUT", f"{account}/deployments/embedding", deployment_body(), COGNITIVE)
    there = wrong(look(resources=[suffix]))["names"]
    assert "The subdomain oai-local-local-taken1 is taken" in there
    arm.done("DELETE", group, version=RESOURCES)
    gone = wrong(look(resources=[suffix]))["names"]
    purge = "az cognitiveservices account purge --location eastus2 --resource-group rg-local-local"
    assert f"{purge} --name oai-local-local-taken1" in gone
    leftovers = wrong(look())["names"]
    assert "may hold quota for 48 hours: oai-local-local-taken1" in leftovers


def test_what_is_named_by_id_must_be_there(arm: ArmDaemon, look: Look) -> None:
    account = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/oai-theirs"
    settings = {"existing": {"openaiAccount": account}, "ai": {"authentication": "managed-identity"}}
    assert "existing.openaiAccount: " in wrong(look(**settings))["existing"]
    arm.done("PUT", account, account_body(customSubDomainName="oai-theirs"), COGNITIVE)
    try:
        found = look(**settings)
        assert "existing" not in wrong(found)
        [said] = [one.found for one in found.findings if one.check == "existing"]
        assert "oai-theirs is there" in said
    finally:
        arm.done("DELETE", account, version=COGNITIVE)


def test_a_private_dns_zone_that_somebody_has_already(arm: ArmDaemon, look: Look) -> None:
    zone = "privatelink.openai.azure.com"
    path = f"{GROUP}/providers/Microsoft.Network/privateDnsZones/{zone}"
    change = {"private_zones": (zone,)}
    assert "private DNS" not in wrong(look(change=change))
    arm.done("PUT", path, {"location": "global"}, "2024-06-01")
    try:
        assert f"{zone} is there already: {path}" in wrong(look(change=change))["private DNS"]
    finally:
        arm.done("DELETE", path, version="2024-06-01")


def test_nobody_signed_in_and_nobody_to_ask_are_told_from_a_problem(
    arm: ArmDaemon, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AZURE_RESOURCE_MANAGER_ENDPOINT", f"https://127.0.0.1:{free.getsockname()[1]}")
    found = look()
    assert found.exit_status == 2
    assert "did not answer" in wrong(found)["sign-in"]
    monkeypatch.setenv("AZURE_RESOURCE_MANAGER_ENDPOINT", arm.endpoint)
    elsewhere = look(environment={"ARM_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000"})
    assert elsewhere.exit_status == 1
    assert "SubscriptionNotFound" in wrong(elsewhere)["sign-in"]
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    nobody = look()
    assert nobody.exit_status == 2
    assert "Nobody is signed in" in wrong(nobody)["sign-in"]
    assert "az login" in wrong(nobody)["sign-in"]
