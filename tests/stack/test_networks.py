"""The modes of the network, by the real engine: reached from inside alone, unchanged the second time, and fixed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

NETWORK = "2024-05-01"  # API version of private endpoints


def private(place: Workplace, small: dict[str, Any], mode: str) -> StackAtWork:
    stack = place.stack(mode)
    stack.write(**{**small, "namePrefix": mode[:7].strip("-"), "firewall": {}, "network": {"mode": mode}})
    stack.up()
    return stack


@pytest.fixture(scope="module")
def injected(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = private(place, small, "injected")
    yield stack
    stack.run("destroy")


@pytest.fixture(scope="module")
def linked(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    access = {**small["authentication"], "password": True, "administratorLogin": "pgadmin"}
    kept = {"authentication": access, "keyVault": {"enabled": True, "publicAccess": False}}
    stack = private(place, {**small, **kept}, "private-endpoint")
    yield stack
    stack.run("destroy")


def embeds(stack: StackAtWork) -> bool:
    with stack.connect() as connection:
        row = connection.execute("SELECT azure_openai.create_embeddings('embedding', 'a text')").fetchone()
    return row is not None and len(row[0]) == 1536


@pytest.mark.parametrize("name", ["injected", "linked"])
def test_it_embeds_without_public_access_and_changes_no_more(request: pytest.FixtureRequest, name: str) -> None:
    stack: StackAtWork = request.getfixturevalue(name)
    assert stack.arm("GET", "")["properties"]["network"]["publicNetworkAccess"] == "Disabled"
    assert embeds(stack)
    stack.run("up", "--expect-no-changes")
    stack.run("refresh", "--expect-no-changes")
    stack.run("up", "--expect-no-changes")


def test_a_closed_vault_is_found_in_the_network(linked: StackAtWork) -> None:
    outputs = linked.outputs()
    networking = outputs["networkId"].rpartition("/virtualNetworks/")[0]
    endpoint = f"{networking}/privateEndpoints/pe-vault-private-private-endpoint"
    found = linked.arm("GET", endpoint, version=NETWORK)["properties"]
    assert [name["fqdn"] for name in found["customDnsConfigs"]] == [f"{outputs['keyVaultName']}.vault.azure.net"]
    records = linked.arm("GET", f"{endpoint}/privateDnsZoneGroups/default", version=NETWORK)["properties"]
    assert [zone["properties"]["privateDnsZoneId"].rpartition("/")[2] for zone in records["privateDnsZoneConfigs"]] == [
        "privatelink.vaultcore.azure.net"
    ]


def test_another_mode_is_refused_in_the_preview_with_the_way_out(injected: StackAtWork, linked: StackAtWork) -> None:
    for stack, mode in ((injected, "private-endpoint"), (linked, "injected")):
        before = stack.file.read_bytes()
        stack.edit(lambda values, mode=mode: values.update(network={"mode": mode}))  # type: ignore[misc]
        refused = stack.run("preview", code=None)
        stack.file.write_bytes(before)
        assert "Azure fixes that when a server is made" in refused
        assert "bring up a second stack with the new mode" in refused
        stack.run("up", "--expect-no-changes")


def test_closed_accounts_and_rules_reach_the_database_as_refusals(linked: StackAtWork) -> None:
    before = linked.file.read_bytes()
    linked.edit(lambda values: values["ai"].update(network={"publicAccess": False}))
    refused = linked.run("preview", code=None)
    linked.file.write_bytes(before)
    assert "ai.network.publicAccess: is off, and with network.mode private-endpoint" in refused


def test_another_stack_uses_the_network_that_is_there_and_leaves_it(
    place: Workplace, small: dict[str, Any], injected: StackAtWork
) -> None:
    outputs = injected.outputs()
    network = outputs["networkId"]
    zones = f"{network.rpartition('/virtualNetworks/')[0]}/privateDnsZones"
    names = ("privatelink.openai.azure.com", "privatelink.cognitiveservices.azure.com")
    server_zone = "injecte-injected.private.postgres.database.azure.com"
    existing = {
        "resourceGroup": network.rpartition("/providers/")[0],
        "serverSubnet": f"{network}/subnets/server",
        "endpointSubnet": f"{network}/subnets/endpoints",
        "dnsZones": [f"{zones}/{name}" for name in (*names, server_zone)],
    }
    guest = place.stack("guest")
    guest.write(
        **{**small, "namePrefix": "guest", "firewall": {}, "network": {"mode": "injected"}, "existing": existing}
    )
    guest.up()
    assert embeds(guest)
    guest.run("up", "--expect-no-changes")
    guest.run("refresh", "--expect-no-changes")
    guest.run("destroy")
    assert embeds(injected)
    injected.run("refresh", "--expect-no-changes")
