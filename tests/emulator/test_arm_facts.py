"""What the subscription and its regions say about themselves, read with the official clients where there is one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure.identity import DefaultAzureCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from emulator.identity import Principal
from emulator.state import SUBSCRIPTION_ID
from tests.emulator.arm_daemon import ACCOUNTS, AUTHORIZATION, COGNITIVE, GROUP, SERVERS, ArmDaemon, account_body
from tests.emulator.conftest import Emulator

SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
PROVIDERS = "2021-04-01"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
def options(emulator: Emulator, credential: DefaultAzureCredential) -> dict[str, Any]:
    """What every client is made with."""
    return {
        "credential": credential,
        "subscription_id": SUBSCRIPTION_ID,
        "base_url": emulator.https,
        "credential_scopes": ["https://management.azure.com/.default"],
    }


def test_the_official_clients_read_the_lists(options: dict[str, Any]) -> None:
    with PostgreSQLManagementClient(**options) as client:
        (found,) = client.capabilities_by_location.list("eastus2")
        tiers = {tier.name: tier for tier in found.supported_server_editions or []}
        assert set(tiers) == {"Burstable", "GeneralPurpose", "MemoryOptimized"}
        small = {sku.name: sku for sku in tiers["Burstable"].supported_server_skus or []}["Standard_B2s"]
        assert (small.v_cores, small.supported_ha_mode) == (2, [])
        assert "16" in [version.name for version in found.supported_server_versions or []]
        free = client.name_availability.check_globally(
            {"name": "nobody-has-this", "type": "Microsoft.DBforPostgreSQL/flexibleServers"}
        )
        assert free.name_available
    with CognitiveServicesManagementClient(**options) as client:
        skus = {(sku.kind, sku.name) for sku in client.resource_skus.list()}
        assert {("OpenAI", "S0"), ("TextAnalytics", "F0"), ("TextAnalytics", "S")} <= skus
        domain = client.check_domain_availability("nobody-has-this", "Microsoft.CognitiveServices/accounts")
        assert domain.is_subdomain_available
    with AuthorizationManagementClient(**options) as client:
        (all_of_it,) = client.permissions.list_for_resource_group("any")
        assert all_of_it.actions == ["*"]
    with ResourceManagementClient(**options) as client:
        assert client.providers.get("Microsoft.DBforPostgreSQL").registration_state == "Registered"
        assert "Microsoft.CognitiveServices" in [provider.namespace for provider in client.providers.list()]


def test_zones_and_geo_backup_depend_on_the_region(arm: ArmDaemon) -> None:
    def capability(location: str) -> Any:
        return arm.call(
            "GET", f"{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/locations/{location}/capabilities"
        ).json()["value"][0]

    def modes(location: str) -> Any:
        tiers = {tier["name"]: tier for tier in capability(location)["supportedServerEditions"]}
        return tiers["GeneralPurpose"]["supportedServerSkus"][0]["supportedHaMode"]

    assert modes("East US 2") == ["SameZone", "ZoneRedundant"]
    assert modes("westus") == ["SameZone"]
    assert capability("polandcentral")["geoBackupSupported"] == "Disabled"
    assert capability("eastus2")["geoBackupSupported"] == "Enabled"
    assert (
        arm.refused("GET", f"{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/locations/moon/capabilities")[0] == 400
    )


@pytest.fixture
def without_provider(arm: ArmDaemon) -> Iterator[None]:
    """A subscription that does not use PostgreSQL yet, as a new one."""
    path = f"{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL"
    arm.done("POST", f"{path}/unregister", version=PROVIDERS)
    yield
    arm.done("POST", f"{path}/register", version=PROVIDERS)
    assert arm.call("GET", path, version=PROVIDERS).json()["registrationState"] == "Registered"


def test_nothing_is_made_of_a_provider_that_is_not_registered(arm: ArmDaemon, without_provider: None) -> None:
    path = f"{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL"
    assert arm.call("GET", path, version=PROVIDERS).json()["registrationState"] == "NotRegistered"
    status, code, _ = arm.refused("PUT", f"{SERVERS}/unregistered", {"location": "eastus2"})
    assert (status, code) == (409, "MissingSubscriptionRegistration")
    assert arm.refused("GET", f"{SUBSCRIPTION}/providers/Microsoft.Moon", version=PROVIDERS)[0] == 404


def test_a_subdomain_stays_taken_while_its_account_is_soft_deleted(arm: ArmDaemon) -> None:
    def available(name: str) -> bool:
        asked = {"subdomainName": name, "type": "Microsoft.CognitiveServices/accounts"}
        path = f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/checkDomainAvailability"
        return bool(arm.call("POST", path, asked, COGNITIVE).json()["isSubdomainAvailable"])

    account = f"{ACCOUNTS}/facts-ai"
    assert available("facts-ai")
    arm.done("PUT", account, account_body(customSubDomainName="Facts-AI"), COGNITIVE)
    assert not available("facts-ai")
    arm.done("DELETE", account, version=COGNITIVE)
    assert not available("facts-ai")
    purge = f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/eastus2/resourceGroups/contracts"
    arm.done("DELETE", f"{purge}/deletedAccounts/facts-ai", version=COGNITIVE)
    assert available("facts-ai")


def test_permissions_are_those_of_the_roles_at_the_scope(arm: ArmDaemon) -> None:
    visitor = Principal(str(uuid.uuid4()), "visitor", "ServicePrincipal")
    role = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    assigned = {
        "properties": {"principalId": visitor.object_id, "principalType": visitor.kind, "roleDefinitionId": role}
    }
    arm.done(
        "PUT", f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", assigned, AUTHORIZATION
    )
    token = arm.daemon.identity.issue(visitor, "https://management.azure.com")
    answer = arm.session.get(
        f"{arm.endpoint}{GROUP}/providers/Microsoft.Authorization/permissions",
        params={"api-version": AUTHORIZATION},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert [entry["actions"] for entry in answer.json()["value"]] == [["*/read"]]
