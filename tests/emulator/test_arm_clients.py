"""The official clients against a whole emulator: sign in, create, change, restart, connect, delete."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from emulator.state import DEPLOYER_ID, SUBSCRIPTION_ID, TENANT_ID
from tests.emulator.conftest import Emulator

GROUP = "clients"
SCOPE = "https://management.azure.com/.default"


@pytest.fixture
def options(emulator: Emulator, credential: DefaultAzureCredential) -> dict[str, Any]:
    """What every client is made with."""
    return {
        "credential": credential,
        "subscription_id": SUBSCRIPTION_ID,
        "base_url": emulator.https,
        "credential_scopes": [SCOPE],
    }


@pytest.fixture
def group(options: dict[str, Any]) -> Iterator[str]:
    """A resource group that is gone afterwards."""
    with ResourceManagementClient(**options) as client:
        assert client.resource_groups.create_or_update(GROUP, {"location": "eastus2"}).location == "eastus2"
        assert client.resource_groups.check_existence(GROUP)
        yield GROUP
        client.resource_groups.begin_delete(GROUP).result()
        assert not client.resource_groups.check_existence(GROUP)


def test_default_credential_signs_in_at_once(emulator: Emulator, credential: DefaultAzureCredential) -> None:
    token = credential.get_token(SCOPE)
    assert token.token.count(".") == 2
    assert credential.get_token("https://ossrdbms-aad.database.windows.net/.default").token != token.token


def test_a_server_with_the_client(emulator: Emulator, options: dict[str, Any], group: str) -> None:
    with PostgreSQLManagementClient(**options) as client:
        body: dict[str, Any] = {
            "location": "eastus2",
            "sku": {"name": "Standard_B2s", "tier": "Burstable"},
            "identity": {"type": "SystemAssigned"},
            "properties": {
                "version": "16",
                "storage": {"storageSizeGB": 32},
                "authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled", "tenantId": TENANT_ID},
            },
        }
        server = client.servers.begin_create_or_update(group, "client-server", body).result()
        assert (server.state, server.version) == ("Ready", "16")
        assert server.fully_qualified_domain_name == "client-server.postgres.database.azure.com"
        rule = {"properties": {"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.1"}}
        client.firewall_rules.begin_create_or_update(group, "client-server", "here", rule).result()
        admin = {"properties": {"principalName": "deployer", "principalType": "User", "tenantId": TENANT_ID}}
        client.administrators_microsoft_entra.begin_create_or_update(
            group, "client-server", DEPLOYER_ID, admin
        ).result()
        client.databases.begin_create(group, "client-server", "contracts", {"properties": {}}).result()
        value = {"properties": {"value": "vector", "source": "user-override"}}
        client.configurations.begin_update(group, "client-server", "azure.extensions", value).result()
        static = {"properties": {"value": "120", "source": "user-override"}}
        client.configurations.begin_put(group, "client-server", "max_connections", static).result()
        assert client.configurations.get(group, "client-server", "max_connections").is_config_pending_restart
        client.servers.begin_restart(group, "client-server").result()
        assert not client.configurations.get(group, "client-server", "max_connections").is_config_pending_restart
        assert len(list(client.configurations.list_by_server(group, "client-server"))) > 40
        pair = {"properties": {"endpointType": "ReadWrite", "members": ["client-server"]}}
        client.virtual_endpoints.begin_create(group, "client-server", "client-orders", pair).result()
        for name in client.virtual_endpoints.get(group, "client-server", "client-orders").virtual_endpoints:
            _connect(emulator, "contracts", name).close()
        with _connect(emulator, "contracts") as connection:
            connection.execute("CREATE EXTENSION vector")
            assert connection.execute("SHOW max_connections").fetchone() == ("120",)
        client.servers.begin_stop(group, "client-server").result()
        with pytest.raises(psycopg.OperationalError):
            _connect(emulator, "contracts")
        client.servers.begin_start(group, "client-server").result()
        with _connect(emulator, "contracts") as connection:
            assert connection.execute("SELECT extname FROM pg_extension WHERE extname = 'vector'").fetchone()
        with pytest.raises(HttpResponseError, match="belongs to the tier"):
            client.servers.begin_update(group, "client-server", {"sku": {**body["sku"], "tier": "GeneralPurpose"}})
        client.servers.begin_delete(group, "client-server").result()
        with pytest.raises(ResourceNotFoundError):
            client.servers.get(group, "client-server")


def _connect(
    emulator: Emulator, database: str, host: str = "client-server.postgres.database.azure.com"
) -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host=host,
        hostaddr="127.0.0.1",
        port=emulator.gateway_port,
        dbname=database,
        user="deployer",
        password=emulator.token("https://ossrdbms-aad.database.windows.net"),
        sslmode="verify-full",
        sslrootcert=emulator.ca_file,
        autocommit=True,
    )


def test_accounts_and_roles_with_the_clients(options: dict[str, Any], group: str) -> None:
    with CognitiveServicesManagementClient(**options) as client:
        body: dict[str, Any] = {
            "location": "eastus2",
            "kind": "OpenAI",
            "sku": {"name": "S0"},
            "properties": {"customSubDomainName": "client-openai"},
        }
        account = client.accounts.begin_create(group, "client-openai", body).result()
        assert account.properties.endpoint == "https://client-openai.openai.azure.com/"
        assert client.accounts.list_keys(group, "client-openai").key1
        model = {"format": "OpenAI", "name": "text-embedding-3-small", "version": "1"}
        deployment = {"sku": {"name": "GlobalStandard", "capacity": 5}, "properties": {"model": model}}
        made = client.deployments.begin_create_or_update(group, "client-openai", "embedding", deployment).result()
        assert made.properties.provisioning_state == "Succeeded"
        _assign(options, account.id)
        client.deployments.begin_delete(group, "client-openai", "embedding").result()
        client.accounts.begin_delete(group, "client-openai").result()
        with pytest.raises(HttpResponseError, match="FlagMustBeSetForRestore"):
            client.accounts.begin_create(group, "client-openai", body)
        assert [item.name for item in client.deleted_accounts.list()] == ["client-openai"]
        client.deleted_accounts.begin_purge("eastus2", group, "client-openai").result()


def _assign(options: dict[str, Any], scope: str) -> None:
    with AuthorizationManagementClient(**options) as client:
        role = next(iter(client.role_definitions.list(scope, filter="roleName eq 'Cognitive Services OpenAI User'")))
        name = str(uuid.uuid4())
        parameters = {"role_definition_id": role.id, "principal_id": DEPLOYER_ID, "principal_type": "User"}
        made = client.role_assignments.create(scope, name, {"properties": parameters} | parameters)
        assert made.principal_id == DEPLOYER_ID
        listed = client.role_assignments.list_for_scope(scope, filter=f"principalId eq '{DEPLOYER_ID}'")
        assert [item.name for item in listed] == [name]
        client.role_assignments.delete(scope, name)
