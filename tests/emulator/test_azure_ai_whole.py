"""From Resource Manager to a vector: a whole emulator, keyless, by its public doors alone."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import requests

from emulator import state
from tests.emulator.arm_daemon import AUTHORIZATION, COGNITIVE, POSTGRES, RESOURCES, account_body, deployment_body
from tests.emulator.arm_daemon import server_body as body_of_a_server
from tests.emulator.conftest import Emulator

GROUP = f"/subscriptions/{state.SUBSCRIPTION_ID}/resourceGroups/whole-ai"
SERVER = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/whole-ai-server"
ACCOUNT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/whole-ai-openai"
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"


class Arm:
    """Requests to Resource Manager that wait for their operations."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._headers = {"Authorization": f"Bearer {emulator.token('https://management.azure.com')}"}

    def send(self, method: str, path: str, version: str, body: Any = None) -> Any:
        url = path if path.startswith("https:") else f"{self._emulator.https}{path}?api-version={version}"
        more: dict[str, Any] = {"headers": self._headers, "verify": self._emulator.ca_file, "timeout": 120}
        answer = requests.request(method, url, json=body, **more)
        assert answer.status_code < 300, answer.text
        watched = answer.headers.get("Azure-AsyncOperation")
        while watched:
            operation = requests.get(watched, **more).json()
            assert operation["status"] in ("InProgress", "Succeeded"), operation
            if operation["status"] == "Succeeded":
                return requests.get(url, **more).json()
        return answer.json()


@pytest.fixture(scope="module")
def connection(emulator: Emulator) -> Iterator[psycopg.Connection[Any]]:
    arm = Arm(emulator)
    arm.send("PUT", GROUP, RESOURCES, {"location": "eastus2"})
    server = arm.send("PUT", SERVER, POSTGRES, body_of_a_server())
    administrator = {"principalName": "deployer", "principalType": "User", "tenantId": state.TENANT_ID}
    arm.send("PUT", f"{SERVER}/administrators/{state.DEPLOYER_ID}", POSTGRES, {"properties": administrator})
    rule = {"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.1"}
    arm.send("PUT", f"{SERVER}/firewallRules/here", POSTGRES, {"properties": rule})
    allowed = {"value": "azure_ai,vector", "source": "user-override"}
    arm.send("PUT", f"{SERVER}/configurations/azure.extensions", POSTGRES, {"properties": allowed})
    arm.send("PUT", ACCOUNT, COGNITIVE, account_body(customSubDomainName="whole-ai-openai", disableLocalAuth=True))
    arm.send("PUT", f"{ACCOUNT}/deployments/embedding", COGNITIVE, deployment_body())
    with psycopg.connect(
        host=server["properties"]["fullyQualifiedDomainName"],
        hostaddr="127.0.0.1",
        port=emulator.gateway_port,
        user="deployer",
        password=emulator.token("https://ossrdbms-aad.database.windows.net"),
        dbname="postgres",
        sslmode="verify-full",
        sslrootcert=emulator.ca_file,
        autocommit=True,
    ) as connection:
        connection.execute("CREATE EXTENSION azure_ai")
        connection.execute(
            "SELECT azure_ai.set_setting('azure_openai.endpoint', 'https://whole-ai-openai.openai.azure.com/'), "
            "azure_ai.set_setting('azure_openai.auth_type', 'managed-identity')"
        )
        yield connection


def test_the_servers_identity_needs_the_role_and_then_embeds(
    emulator: Emulator, connection: psycopg.Connection[Any]
) -> None:
    call = "SELECT cardinality(azure_openai.create_embeddings('embedding', 'late delivery'))"
    with pytest.raises(psycopg.errors.InternalError_, match=r"401: The principal `.*` lacks the required data action"):
        connection.execute(call)
    arm = Arm(emulator)
    principal = arm.send("GET", SERVER, POSTGRES)["identity"]["principalId"]
    role = f"/subscriptions/{state.SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{OPENAI_USER}"
    properties = {"principalId": principal, "principalType": "ServicePrincipal", "roleDefinitionId": role}
    assignment = f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    arm.send("PUT", assignment, AUTHORIZATION, {"properties": properties})
    assert connection.execute(call).fetchone() == (1536,)


def test_a_deployment_made_later_is_there_at_once(emulator: Emulator, connection: psycopg.Connection[Any]) -> None:
    call = "SELECT cardinality(azure_openai.create_embeddings('another', 'late delivery', 256))"
    with pytest.raises(psycopg.errors.InternalError_, match="404: The API deployment for this resource does not exist"):
        connection.execute(call)
    body = deployment_body("text-embedding-3-large")
    Arm(emulator).send("PUT", f"{ACCOUNT}/deployments/another", COGNITIVE, body)
    assert connection.execute(call).fetchone() == (256,)
