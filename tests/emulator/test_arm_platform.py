"""The resource types around servers and accounts: created, read back, written again, listed, deleted."""

import uuid
from typing import Any

import pytest

from emulator.arm import catalogue
from tests.emulator.arm_daemon import GROUP, ArmDaemon

PROVIDERS = f"{GROUP}/providers"
NETWORK = f"{PROVIDERS}/Microsoft.Network"
VNET = f"{NETWORK}/virtualNetworks/office"
ZONE = f"{NETWORK}/privateDnsZones/privatelink.postgres.database.azure.com"
VAULT = f"{PROVIDERS}/Microsoft.KeyVault/vaults/safe"
WORKSPACE = f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/logbook"
ACTION_GROUP = f"{PROVIDERS}/Microsoft.Insights/actionGroups/on-call"
AUTOMATION = f"{PROVIDERS}/Microsoft.Automation/automationAccounts/clockwork"
ENVIRONMENT = f"{PROVIDERS}/Microsoft.App/managedEnvironments/workers"
HERE = {"location": "eastus2"}
GLOBAL = {"location": "Global"}


def criteria(**more: Any) -> dict[str, Any]:
    one = {"name": "one", "metricName": "cpu_percent", "criterionType": "StaticThresholdCriterion", **more}
    return {"odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": [one]}


NSG = f"{NETWORK}/networkSecurityGroups/gate"
IDENTITY = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/worker"
ALERT = {
    "scopes": [WORKSPACE], "severity": 2, "evaluationFrequency": "PT5M", "windowSize": "PT15M", "criteria": criteria(),
    "actions": [{"actionGroupId": ACTION_GROUP}],
}  # fmt: skip
QUERY = {"scopes": [WORKSPACE], "criteria": {"allOf": []}, "actions": {"actionGroups": [ACTION_GROUP]}}
JOB = {
    "environmentId": ENVIRONMENT,
    "configuration": {"triggerType": "Event", "replicaTimeout": 600, "secrets": [{"name": "dsn", "value": "hidden"}]},
    "template": {"containers": [{"name": "worker", "image": "worker:1"}]},
}
BUDGET = {
    "amount": 50, "category": "Cost", "timeGrain": "Monthly", "timePeriod": {"startDate": "2026-01-01T00:00:00Z"},
}  # fmt: skip

# In an order in which each may name those before it.
RESOURCES: list[tuple[str, dict[str, Any]]] = [
    (IDENTITY, HERE),
    (NSG, {**HERE, "properties": {"securityRules": []}}),
    (VNET, {**HERE, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}),
    (f"{VNET}/subnets/desk", {"properties": {"addressPrefix": "10.0.1.0/24", "networkSecurityGroup": {"id": NSG}}}),
    (ZONE, GLOBAL),
    (f"{ZONE}/virtualNetworkLinks/office", {**GLOBAL, "properties": {"virtualNetwork": {"id": VNET}}}),
    (f"{ZONE}/A/database", {"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.0.1.4"}]}}),
    (WORKSPACE, {**HERE, "properties": {"retentionInDays": 30, "sku": {"name": "PerGB2018"}}}),
    (ACTION_GROUP, {**GLOBAL, "properties": {"groupShortName": "on-call", "enabled": True}}),
    (f"{PROVIDERS}/Microsoft.Insights/metricAlerts/busy", {**GLOBAL, "properties": ALERT}),
    (f"{PROVIDERS}/Microsoft.Insights/scheduledQueryRules/stuck", {**HERE, "properties": QUERY}),
    (
        f"{PROVIDERS}/Microsoft.Insights/workbooks/{uuid.UUID(int=7)}",
        {**HERE, "properties": {"displayName": "Vectors", "category": "workbook", "serializedData": "{}"}},
    ),
    (
        f"{VAULT}/providers/Microsoft.Insights/diagnosticSettings/audit",
        {"properties": {"workspaceId": WORKSPACE, "logs": [{"category": "AuditEvent", "enabled": True}]}},
    ),
    (f"{GROUP}/providers/Microsoft.Consumption/budgets/month", {"properties": BUDGET}),
    (f"{VAULT}/secrets/password", {"properties": {"value": "hidden"}}),
    (f"{VAULT}/keys/disk", {"properties": {"kty": "RSA", "keySize": 3072}}),
    (f"{VAULT}/providers/Microsoft.Security/advancedThreatProtectionSettings/current", {"properties": {}}),
    (ENVIRONMENT, {**HERE, "properties": {}}),
    (f"{PROVIDERS}/Microsoft.App/jobs/worker", {**HERE, "properties": JOB}),
    (f"{PROVIDERS}/Microsoft.Logic/workflows/stop-at-night", {**HERE, "properties": {"definition": {"triggers": {}}}}),
    (AUTOMATION, {**HERE, "properties": {"sku": {"name": "Basic"}}}),
    (f"{AUTOMATION}/runbooks/stop", {**HERE, "properties": {"runbookType": "PowerShell"}}),
    (
        f"{AUTOMATION}/schedules/night",
        {"name": "night", "properties": {"startTime": "2030-01-01T20:00:00Z", "frequency": "Day"}},
    ),
    (
        f"{AUTOMATION}/jobSchedules/{uuid.UUID(int=8)}",
        {"properties": {"runbook": {"name": "stop"}, "schedule": {"name": "night"}}},
    ),
    (f"{VAULT}/providers/Microsoft.Authorization/locks/keep", {"properties": {"level": "CanNotDelete"}}),
]


@pytest.fixture(scope="module", autouse=True)
def everything(arm: ArmDaemon) -> dict[str, Any]:
    """Make one resource of each type; return what a read of each answers."""
    tenant = arm.environment["AZURE_TENANT_ID"]
    sku = {"name": "standard", "family": "A"}
    arm.done("PUT", VAULT, {**HERE, "properties": {"sku": sku, "tenantId": tenant, "enableRbacAuthorization": True}})
    return {path: arm.done("PUT", path, body) for path, body in RESOURCES}


@pytest.mark.parametrize("path", [path for path, _ in RESOURCES], ids=lambda path: path.rpartition("/providers/")[2])
def test_a_resource_is_read_back_and_written_again_unchanged(
    arm: ArmDaemon, everything: dict[str, Any], path: str
) -> None:
    made = everything[path]
    assert made["id"] == path
    assert made["name"] == path.rpartition("/")[2]
    assert "hidden" not in str(made)
    again = arm.done("PUT", path, dict(RESOURCES)[path])
    assert _lasting(again) == _lasting(made)
    parent = path.rpartition("/")[0]
    assert path in [item["id"] for item in arm.call("GET", parent).json()["value"]]


def _lasting(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without what each write of a secret changes, and what a network shows of other resources."""
    volatile = ("secretUriWithVersion", "attributes", "subnets")
    return {**body, "properties": {k: v for k, v in body["properties"].items() if k not in volatile}}


def test_every_type_of_the_file_is_tried(everything: dict[str, Any]) -> None:
    tried = {body["type"].lower() for body in everything.values()} | {"microsoft.keyvault/vaults"}
    elsewhere = ("privateendpoints", "privatednszones/cname", "privatednszones/txt")
    types = {name for name in catalogue.load().types if not any(word in name for word in elsewhere)}
    own = (
        "microsoft.dbforpostgresql/",
        "microsoft.cognitiveservices/",
        "microsoft.resources/",
        "roleassignments",
        "roledefinitions",
    )
    assert {name for name in types if not any(word in name for word in own)} == tried


def test_an_identity_has_a_principal_that_roles_can_name(arm: ArmDaemon, everything: dict[str, Any]) -> None:
    principal = everything[IDENTITY]["properties"]["principalId"]
    assert uuid.UUID(principal) != uuid.UUID(everything[IDENTITY]["properties"]["clientId"])
    role = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    path = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    made = arm.done("PUT", path, {"properties": {"principalId": principal, "roleDefinitionId": role}})
    assert made["properties"]["principalType"] == "ServicePrincipal"


def test_what_is_named_must_be_there(arm: ArmDaemon) -> None:
    absent = f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/absent"
    setting = f"{VAULT}/providers/Microsoft.Insights/diagnosticSettings/other"
    body = {"properties": {"workspaceId": absent, "logs": [{"category": "AuditEvent", "enabled": True}]}}
    status, code, message = arm.refused("PUT", setting, body)
    assert (status, code) == (404, "ResourceNotFound")
    assert "workspaces/absent" in message
    link = {**GLOBAL, "properties": {"virtualNetwork": {"id": VNET.replace("office", "absent")}}}
    assert arm.refused("PUT", f"{ZONE}/virtualNetworkLinks/x", link)[1] == "InvalidResourceReference"


def test_what_stands_at_a_resource_needs_it(arm: ArmDaemon) -> None:
    path = f"{PROVIDERS}/Microsoft.KeyVault/vaults/absent/providers/Microsoft.Authorization/locks/keep"
    assert arm.refused("PUT", path, {"properties": {"level": "CanNotDelete"}})[1] == "ResourceNotFound"


def test_a_zone_with_links_stays(arm: ArmDaemon) -> None:
    status, code, message = arm.refused("DELETE", ZONE)
    assert (status, code) == (409, "CannotDeleteResource")
    assert "virtualNetworkLinks/office" in message


def test_the_location_global_is_for_some_types_only(arm: ArmDaemon) -> None:
    assert arm.refused("PUT", IDENTITY, GLOBAL)[1] == "LocationNotAvailableForResourceType"
