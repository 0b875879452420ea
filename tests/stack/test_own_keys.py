"""A server that is encrypted with keys of one's own, by an identity that it is given beside the one of azure_ai."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

CRYPTO_USER = "e147488a-f6f5-4113-8e2d-b22465e65bf6"  # Key Vault Crypto Service Encryption User


@pytest.fixture(scope="module")
def encrypted(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    place.run("start", module="emulator")
    stack = place.stack("encrypted")
    stack.write(**small)
    group = f"/subscriptions/{stack.variables()['ARM_SUBSCRIPTION_ID']}/resourceGroups/own-keys"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/disk"
    server = {**small["server"], "encryption": {"keyUri": key(stack, group, identity), "identityId": identity}}
    ai = {**small["ai"], "language": {"enabled": False}}
    stack.write(**{**small, "namePrefix": "keys", "server": server, "ai": ai})
    stack.up()
    yield stack
    stack.run("destroy")


def key(stack: StackAtWork, group: str, identity: str) -> str:
    """Make a vault, a key, and an identity that may use it; return the key's address."""
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/own-keys"
    stack.arm("PUT", group, {"location": "eastus2"}, "2024-03-01")
    properties = {
        "sku": {"name": "standard", "family": "A"}, "tenantId": stack.variables()["ARM_TENANT_ID"],
        "enableRbacAuthorization": True, "enablePurgeProtection": True,
    }  # fmt: skip
    stack.arm("PUT", vault, {"location": "eastus2", "properties": properties}, "2024-11-01")
    made = stack.arm("PUT", f"{vault}/keys/disk", {"properties": {"kty": "RSA", "keySize": 4096}}, "2024-11-01")
    principal = stack.arm("PUT", identity, {"location": "eastus2"}, "2023-01-31")["properties"]["principalId"]
    role = f"/providers/Microsoft.Authorization/roleDefinitions/{CRYPTO_USER}"
    assignment = f"{vault}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    right = {"principalId": principal, "roleDefinitionId": role, "principalType": "ServicePrincipal"}
    stack.arm("PUT", assignment, {"properties": right}, "2022-04-01")
    return str(made["properties"]["keyUri"])


def test_it_comes_up_and_stays_as_it_is(encrypted: StackAtWork) -> None:
    server = encrypted.arm("GET", "")
    assert server["properties"]["dataEncryption"]["type"] == "AzureKeyVault"
    assert server["identity"]["type"] == "SystemAssigned,UserAssigned"
    assert server["identity"]["principalId"] == encrypted.outputs()["serverPrincipalId"]
    encrypted.run("up", "--expect-no-changes")
    encrypted.run("refresh", "--expect-no-changes")
    encrypted.run("up", "--expect-no-changes")


def test_azure_ai_signs_in_with_the_servers_own_identity(encrypted: StackAtWork) -> None:
    with encrypted.connect() as connection:
        found = connection.execute("SELECT azure_openai.create_embeddings('embedding', 'a late delivery')").fetchone()
    assert found is not None
    assert len(found[0]) == 1536


def test_back_to_the_services_own_keys_is_refused_and_nothing_is_lost(encrypted: StackAtWork) -> None:
    before = encrypted.file.read_bytes()
    encrypted.edit(lambda values: values["server"].pop("encryption"))
    assert "dataEncryption" in encrypted.run("up", code=None)
    encrypted.file.write_bytes(before)
    encrypted.run("refresh")
    encrypted.run("up", "--expect-no-changes")
