"""The worker pool: an identity with one right, a job that starts from nothing, and no password unless one is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.mistakes import SettingsError
from tests.components.conftest import SECRET, WORKER, WORKER_CLIENT

IMAGE = "example.azurecr.io/postgres-genai-worker:1.0"
REGISTRY = (
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/shared"
    "/providers/Microsoft.ContainerRegistry/registries/example"
)
NETWORK = "/subscriptions/s/resourceGroups/shared/providers/Microsoft.Network/virtualNetworks/net"
CLOSED = {"rules": {"office": {"start": "203.0.113.1"}}}
OPEN = {**CLOSED, "allowAzureServices": True}
BOTH = {
    "entra": True,
    "password": True,
    "administratorLogin": "pgadmin",
    "administrators": [{"name": "team", "objectId": "33333333-3333-4333-8333-333333333333", "type": "Group"}],
}
ACCESS = ("connection", "password")


def pool(**settings: Any) -> dict[str, Any]:
    return {"firewall": OPEN, "workers": {"pool": {"image": IMAGE, **settings}}}


def job(recording: Any) -> dict[str, Any]:
    return dict(recording.one("operations-workers-job").inputs)


def test_there_is_none_unless_asked_for(deploy: Callable[..., Any]) -> None:
    assert not [one for one in deploy().registrations if "workers" in one.name]


def test_the_identity_is_a_worker_in_the_database_and_nothing_else(deploy: Callable[..., Any]) -> None:
    recording = deploy(pool())
    principal = recording.one("operations-workers-principal")
    assert {key: value for key, value in principal.inputs.items() if key not in ACCESS} == {
        "principal": "id-pgai-dev-workers",
        "objectId": WORKER,
        "roles": ["vectorize_worker"],
        "functions": [],
    }
    assert principal.deleted_with == "server"
    assert recording.reaches("operations-workers-principal", "database-job-notes")
    pool_names = [one.name for one in recording.registrations if one.name.startswith("operations-workers")]
    assert len(pool_names) == 5, "component, identity, principal, environment, job"
    assert not [one for one in recording.of("azure-native:authorization:RoleAssignment") if one.name in pool_names]
    assert recording.exports["workerIdentity"] == "id-pgai-dev-workers"


def test_the_clock_starts_executions_and_there_is_no_secret(deploy: Callable[..., Any]) -> None:
    recording = deploy(pool(everyMinutes=2, maxExecutions=5, connections=8, cpu=0.5))
    made = job(recording)
    configuration, container = made["configuration"], made["template"]["containers"][0]
    assert configuration["triggerType"] == "Schedule"
    assert configuration["scheduleTriggerConfig"]["cronExpression"] == "*/2 * * * *"
    assert not {"secrets", "eventTriggerConfig", "registries"} & set(configuration)
    # As long as five executions of two minutes each: a sixth would begin when the first has ended.
    assert container["args"] == ["--until-done", "--json", "--connections=8", "--seconds=570"]
    assert configuration["replicaTimeout"] > 570
    assert container["image"] == IMAGE
    assert container["resources"] == {"cpu": 0.5, "memory": "1Gi"}
    assert {one["name"]: one["value"] for one in container["env"]} == {
        "PGHOST": "psql-pgai-dev-abc123.postgres.database.azure.com",
        "PGDATABASE": "contracts",
        "PGUSER": "id-pgai-dev-workers",
        "WORKER_ENTRA": "true",
        "WORKER_TOKEN_SCOPE": "https://ossrdbms-aad.database.windows.net/.default",
        "AZURE_CLIENT_ID": WORKER_CLIENT,
    }
    for earlier in ("operations-workers-principal", "operations-workers-environment"):
        assert recording.reaches("operations-workers-job", earlier)
    assert not recording.of("random:index/randomPassword:RandomPassword")


def test_the_queue_asks_one_function_with_a_login_for_nothing_else(deploy: Callable[..., Any]) -> None:
    recording = deploy(
        {**pool(trigger="queue", maxExecutions=7, pollingSeconds=60, rowsPerExecution=500), "authentication": BOTH}
    )
    hidden = job(recording)["configuration"]
    assert SECRET in hidden.values(), "the password is in it"
    configuration = hidden["value"]
    scale = configuration["eventTriggerConfig"]["scale"]
    assert (scale["minExecutions"], scale["maxExecutions"], scale["pollingInterval"]) == (0, 7, 60)
    (rule,) = scale["rules"]
    assert rule["type"] == "postgresql"
    assert "identity" not in rule  # the platform would drop the metadata (azure-container-apps #1786)
    assert rule["metadata"] == {
        "host": "psql-pgai-dev-abc123.postgres.database.azure.com",
        "port": "5432",
        "dbName": "contracts",
        "userName": "pgai-dev-scaler",
        "sslmode": "verify-full",
        "query": "SELECT vectorize.wanted_workers(500, 4)",
        "targetQueryValue": "1",
    }
    assert rule["auth"] == [{"secretRef": "scaler-password", "triggerParameter": "password"}]
    assert [secret["name"] for secret in configuration["secrets"]] == ["scaler-password"]
    login = recording.one("operations-workers-scaler").inputs
    assert login["functions"] == ["vectorize.wanted_workers(integer,integer)"]
    assert login["roles"] == []
    assert SECRET in login["loginPassword"].values()
    assert recording.reaches("operations-workers-job", "operations-workers-scaler")


def test_the_identity_pulls_from_one_registry(deploy: Callable[..., Any]) -> None:
    recording = deploy(pool(registryId=REGISTRY))
    right = recording.one("operations-workers-pull").inputs
    assert right["scope"] == REGISTRY
    assert right["principalId"] == WORKER
    assert right["roleDefinitionId"].endswith("/7f951dda-4ed3-4680-a7ca-43fe172d538d")
    (registry,) = job(recording)["configuration"]["registries"]
    assert registry["server"] == "example.azurecr.io"
    assert registry["identity"].endswith("/id-pgai-dev-workers")
    assert recording.reaches("operations-workers-job", "operations-workers-pull")


def test_in_a_network_and_watched(deploy: Callable[..., Any]) -> None:
    recording = deploy(
        {**pool(subnetId=f"{NETWORK}/subnets/workers"), "firewall": CLOSED, "monitoring": {"enabled": True}}
    )
    environment = recording.one("operations-workers-environment").inputs
    assert environment["vnetConfiguration"] == {
        "infrastructureSubnetId": f"{NETWORK}/subnets/workers",
        "internal": True,
    }
    assert [one["workloadProfileType"] for one in environment["workloadProfiles"]] == ["Consumption"]
    assert environment["appLogsConfiguration"] == {"destination": "azure-monitor"}
    logs = recording.one("operations-workers-logs").inputs
    assert [log["category"] for log in logs["logs"]] == ["ContainerAppConsoleLogs", "ContainerAppSystemLogs"]


@pytest.mark.parametrize("mode", ["private-endpoint", "injected"])
def test_the_stacks_own_network_has_a_subnet_for_it(deploy: Callable[..., Any], mode: str) -> None:
    private = {"firewall": {}, "network": {"mode": mode}}
    recording = deploy({**pool(), **private})
    subnet = recording.one("network-subnet-workers").inputs
    assert [one["serviceName"] for one in subnet["delegations"]] == ["Microsoft.App/environments"]
    assert subnet["addressPrefix"] == "10.40.2.0/24"
    environment = recording.one("operations-workers-environment").inputs
    assert environment["vnetConfiguration"]["infrastructureSubnetId"].endswith("/Subnet/workers")
    assert recording.reaches("network-subnet-workers", "network-subnet-endpoints"), "one operation at a time"
    for placed in ({"subnetId": f"{NETWORK}/subnets/workers"}, {}):
        without = deploy({**(pool(**placed) if placed else {}), **private})
        assert not [one for one in without.registrations if one.name == "network-subnet-workers"]


def test_an_environment_that_is_there_is_used(deploy: Callable[..., Any]) -> None:
    there = "/subscriptions/s/resourceGroups/shared/providers/Microsoft.App/managedEnvironments/shared"
    recording = deploy({**pool(environmentId=there), "firewall": CLOSED})
    assert job(recording)["environmentId"] == there
    assert not recording.of("azure-native:app:ManagedEnvironment")


def test_a_preview_of_a_changed_identity_replaces_nothing(deploy: Callable[..., Any]) -> None:
    recording = deploy(pool(), preview=True, updating=True)
    assert recording.one("operations-workers-principal").inputs["objectId"] == WORKER


@pytest.mark.parametrize(
    ("config", "path", "says"),
    [
        ({**pool(), "firewall": CLOSED}, "workers.pool.subnetId", "allowAzureServices"),
        (pool(trigger="queue"), "workers.pool.trigger", "take schedule"),
        (pool(image="postgres-genai-worker"), "workers.pool.image", "with its registry"),
        (pool(cpu=0.3), "workers.pool.cpu", "0.25"),
        (pool(everyMinutes=0), "workers.pool.everyMinutes", "at least 1"),
        ({**pool(), "extensions": ["vector"], "jobs": {}}, "workers.pool", "azure_ai"),
        (
            {**pool(), "authentication": {"entra": False, "password": True, "administratorLogin": "pgadmin"}},
            "workers.pool",
            "authentication.entra",
        ),
    ],
)
def test_what_cannot_work_is_refused(deploy: Callable[..., Any], config: dict[str, Any], path: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        deploy(config)
    assert path in str(refused.value)
    assert says in str(refused.value)
