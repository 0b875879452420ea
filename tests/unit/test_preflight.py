"""What a preflight makes of the answers of Azure, and of those that it does not get."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from components.catalogue.extension_versions import version_on
from components.catalogue.extensions import KNOWN
from components.catalogue.server_sizes import VERSIONS
from components.cloud import Cloud, cloud
from tests.unit.preflight_stack import state, statuses, wanted
from tools.preflight import accounts, extensions, models, registrations, rights, servers, sign_in
from tools.preflight.finding import OK, PROBLEM, UNKNOWN, WARNING
from tools.preflight.wanted import WantedDeployment

TODAY = dt.date(2026, 11, 1)


def model(name: str = "text-embedding-3-small", version: str = "1", retires: str = "2027-04-15", **more: Any) -> Any:
    skus = [{"name": sku, "usageName": f"OpenAI.{sku}.{name}"} for sku in ("GlobalStandard", "DataZoneStandard")]
    return {
        "kind": "OpenAI",
        "model": {
            "format": "OpenAI",
            "name": name,
            "version": version,
            "lifecycleStatus": "GenerallyAvailable",
            "deprecation": {"inference": f"{retires}T00:00:00Z"},
            "skus": skus,
            **more,
        },
    }


def usage(limit: int, used: int, quota: str = "OpenAI.GlobalStandard.text-embedding-3-small") -> Any:
    return {"name": {"value": quota}, "limit": limit, "currentValue": used}


def test_before_the_first_up_no_name_has_a_suffix() -> None:
    found = wanted()
    assert (found.group, found.group_exists) == ("rg-pgai-dev", False)
    assert found.server.name is None
    assert [account.name for account in found.accounts] == [None, None]


def test_the_state_says_the_names_and_what_is_the_stack_s_own() -> None:
    found = wanted(state(deployed=20))
    assert found.group_exists
    assert (found.server.name, found.server.exists) == ("psql-pgai-dev-a1b2c3", True)
    assert [(account.name, account.exists) for account in found.accounts] == [
        ("oai-pgai-dev-a1b2c3", False),
        ("lang-pgai-dev-a1b2c3", False),
    ]
    assert found.held == {"OpenAI.GlobalStandard.text-embedding-3-small": 20}


def test_what_surrounds_a_server_asks_for_its_own_rights_and_providers() -> None:
    found = wanted(
        monitoring={"enabled": True, "threatProtection": True},
        cost={"budget": {"monthly": 100, "emails": ["team@example.com"]}, "autostop": {"stopAt": "19:00"}},
    )
    assert {
        "Microsoft.Insights",
        "Microsoft.OperationalInsights",
        "Microsoft.Consumption",
        "Microsoft.Logic",
    } <= set(found.providers)
    assert "Microsoft.Authorization/roleDefinitions/write" in found.actions
    assert found.actions.count("Microsoft.Authorization/roleAssignments/write") == 1
    assert not set(wanted().providers) - {"Microsoft.DBforPostgreSQL", "Microsoft.CognitiveServices"}


def test_a_network_asks_for_its_own_rights_provider_and_zones() -> None:
    assert wanted().private_zones == ()
    closed: dict[str, Any] = {"firewall": {}, "network": {"mode": "injected"}}
    found = wanted(**closed)
    assert found.private_zones == (
        "privatelink.cognitiveservices.azure.com",
        "privatelink.openai.azure.com",
        "pgai-dev.private.postgres.database.azure.com",
    )
    assert "Microsoft.Network" in found.providers
    for action in ("virtualNetworks/write", "virtualNetworks/subnets/join/action", "privateEndpoints/write"):
        assert f"Microsoft.Network/{action}" in found.actions
    hub = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network"
    subnets = {name: f"{hub}/virtualNetworks/hub/subnets/{name}" for name in ("serverSubnet", "endpointSubnet")}
    zones = [f"{hub}/privateDnsZones/{name}" for name in ("a.postgres.database.azure.com", found.private_zones[0])]
    there = wanted(**closed, existing={**subnets, "dnsZones": zones})
    assert there.private_zones == ("privatelink.openai.azure.com",)
    assert "Microsoft.Network/virtualNetworks/write" not in there.actions
    assert "Microsoft.Network/privateDnsZones/write" in there.actions
    zones.append(f"{hub}/privateDnsZones/privatelink.openai.azure.com")
    whole = wanted(**closed, existing={**subnets, "dnsZones": zones})
    assert "Microsoft.Network/privateDnsZones/write" not in whole.actions


def test_standby_zones_and_far_backups_are_asked_of_the_region() -> None:
    sku = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
    standby = {"mode": "ZoneRedundant", "standbyZone": "2"}
    asked = wanted(server={"sku": sku, "zone": "1", "highAvailability": standby, "geoRedundantBackup": True}).server
    assert (asked.high_availability, asked.geo_backup, asked.zones) == ("ZoneRedundant", True, ("1", "2"))


def test_a_worker_pool_asks_for_its_own_rights_and_providers() -> None:
    image = "registry.example.com/postgres-genai-worker:1.0"
    found = wanted(firewall={"rules": {}, "allowAzureServices": True}, workers={"pool": {"image": image}})
    assert {"Microsoft.App", "Microsoft.ManagedIdentity"} <= set(found.providers)
    for action in ("Microsoft.App/jobs/write", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"):
        assert action in found.actions


SERVER = "/subscriptions/s/resourceGroups/theirs/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql"
ACCOUNT = "/subscriptions/s/resourceGroups/theirs/providers/Microsoft.CognitiveServices/accounts"


def test_what_is_there_is_asked_for_where_it_is_and_not_made() -> None:
    deployments = {"theirs": {"model": "text-embedding-3-small", "existing": True}, "ours": {"model": "gpt-5.4"}}
    existing = {
        "resourceGroup": "/subscriptions/s/resourceGroups/ours",
        "server": SERVER,
        "openaiAccount": f"{ACCOUNT}/oai",
        "languageAccount": f"{ACCOUNT}/lang",
    }
    found = wanted(firewall={}, existing=existing, deployments=deployments)
    assert (found.group, found.group_exists, found.server.given) == ("ours", True, SERVER)
    assert found.accounts == ()
    assert [one.name for one in found.deployments] == ["ours"], "the other has its quota already"
    given = {one.setting: one.actions for one in found.given}
    assert set(given) == {"existing.server", "existing.openaiAccount", "existing.languageAccount"}
    assert "Microsoft.DBforPostgreSQL/flexibleServers/databases/write" in given["existing.server"]
    assert "Microsoft.CognitiveServices/accounts/deployments/write" in given["existing.openaiAccount"]
    assert "Microsoft.Authorization/roleAssignments/write" in given["existing.languageAccount"]
    assert not [action for action in found.actions if "flexibleServers" in action or "resourceGroups" in action]
    theirs = {"theirs": deployments["theirs"]}
    less = {"database": {"existing": True}, "ai": {"assignRoles": False}, "deployments": theirs}
    writes = [one.actions for one in wanted(firewall={}, existing=existing, **less).given]
    assert not [action for actions in writes for action in actions if action.endswith("/write")]


def test_a_stack_without_azure_ai_wants_no_account() -> None:
    found = wanted(extensions=["vector"], deployments={})
    assert (found.accounts, found.deployments) == ((), ())
    assert "Microsoft.CognitiveServices" not in found.providers
    assert not [action for action in found.actions if "CognitiveServices" in action or "roleAssignments" in action]
    assert statuses(accounts.judge(found, [], "read")) == [OK]


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ([model()], OK, "until 2027-04-15"),
        ([model(retires="2026-12-15")], WARNING, "retires on 2026-12-15, in 44 days"),
        ([model(retires="2026-10-01")], PROBLEM, "is retired since 2026-10-01"),
        ([model(lifecycleStatus="Deprecated")], PROBLEM, "is retired."),
        ([model(version="2")], PROBLEM, "There is: 2."),
        ([model("text-embedding-3-large")], PROBLEM, "a model of this one: text-embedding-3-large."),
        ([model(skus=[{"name": "Standard"}])], PROBLEM, "There is: Standard"),
        ([model(deprecation={})], OK, "with no day of retirement named"),
        ([], PROBLEM, "is not in eastus2"),
    ],
)
def test_a_model_is_there_and_stays_or_the_way_out_is_said(answer: Any, status: str, says: str) -> None:
    (found,) = models.judge_models(wanted(), models.listed_models(answer), TODAY, 90, "GET models")
    assert found.status == status
    assert says in f"{found.found} {found.do}"
    assert "deployments.embedding" in found.found


@pytest.mark.parametrize(
    ("usages", "held", "status", "says"),
    [
        ([usage(100, 70)], 0, OK, "30 asked; 30 of 100 free"),
        ([usage(100, 80)], 0, PROBLEM, "10 too few. Lower the capacity to 20 or less"),
        ([usage(100, 100)], 20, PROBLEM, "10 too few. Lower the capacity to 20"),
        ([usage(100, 100)], 30, OK, "30 asked, of which the stack holds 30 already; 0 of 100 free"),
        ([usage(100, 60)], 40, OK, "30 asked, of which the stack holds 30 already; 40 of 100 free"),
        ([usage(30, 30)], 0, PROBLEM, "Free some of it"),
        ([], 0, PROBLEM, "no such quota in eastus2"),
    ],
)
def test_the_quota_counts_what_the_stack_holds_as_its_own(usages: Any, held: int, status: str, says: str) -> None:
    stack = wanted(state(deployed=held) if held else ())
    (found,) = models.judge_quota(stack, models.listed_models([model()]), usages, "GET usages")
    assert found.status == status
    assert says in f"{found.found} {found.do}"


def test_deployments_of_one_model_share_its_quota() -> None:
    stack = wanted()
    second = WantedDeployment(
        name="other", model="text-embedding-3-small", version="1", sku="GlobalStandard", capacity=80
    )
    stack = replace(stack, deployments=(*stack.deployments, second))
    (found,) = models.judge_quota(stack, models.listed_models([model()]), [usage(100, 0)], "GET usages")
    assert "110 asked; 100 of 100 free" in found.found


CAPABILITIES: dict[str, Any] = {
    "supportedServerVersions": [{"name": "16"}, {"name": "17"}, {"name": "18", "status": "Disabled"}],
    "supportedServerEditions": [
        {
            "name": "Burstable",
            "supportedServerSkus": [
                {"name": "Standard_B2s", "supportedHaMode": [], "supportedZones": ["1", "2"]},
                {"name": "Standard_B4ms", "status": "Disabled", "reason": "no capacity left here"},
            ],
            "supportedStorageEditions": [{"supportedStorageMb": [{"storageSizeMb": 32768}, {"storageSizeMb": 65536}]}],
        }
    ],
    "supportedFeatures": [{"name": "StorageAutoGrowth", "status": "Enabled"}],
    "geoBackupSupported": "Disabled",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": "18"}, "no PostgreSQL 18 for new servers. There is: 16, 17."),
        ({"sku": "Standard_B4ms"}, "no Standard_B4ms (no capacity left here). There is: Standard_B2s."),
        ({"tier": "GeneralPurpose"}, "no tier GeneralPurpose. There is: Burstable."),
        ({"storage_gb": 128}, "no storage of 128 GiB for Burstable. There is: 32, 64."),
        ({"high_availability": "ZoneRedundant"}, "no high availability ZoneRedundant for Standard_B2s. There is: none"),
        ({"zones": ("1", "3")}, "no zone 3 for Standard_B2s. There is: 1, 2."),
        ({"geo_backup": True}, "no geo-redundant backup"),
    ],
)
def test_what_a_region_does_not_offer_is_said_with_what_it_does(change: dict[str, Any], says: str) -> None:
    server = replace(wanted().server, **change)
    (found,) = servers.judge(server, "moonbase", [CAPABILITIES], "GET capabilities")
    assert found.status == PROBLEM
    assert says in f"{found.found} {found.do}"
    assert found.read == "GET capabilities"


def test_what_a_region_offers_is_said_too() -> None:
    (found,) = servers.judge(wanted().server, "eastus2", [CAPABILITIES], "GET capabilities")
    assert (found.status, found.found) == (OK, "eastus2 offers PostgreSQL 16, Standard_B2s, 32 GiB.")


def test_a_region_that_is_closed_to_the_subscription_is_the_only_thing_said() -> None:
    closed = {**CAPABILITIES, "restricted": "Enabled", "reason": "offer restriction"}
    (found,) = servers.judge(replace(wanted().server, version="18"), "eastus2", [closed], "GET")
    assert found.status == PROBLEM
    assert "eastus2 is closed to this subscription (offer restriction)" in found.found
    assert statuses(servers.judge(wanted().server, "eastus2", [], "GET")) == [UNKNOWN]


@pytest.mark.parametrize(
    ("sku", "status"),
    [
        ({"kind": "OpenAI", "name": "S0", "locations": ["East US 2"]}, OK),
        ({"kind": "OpenAI", "name": "S0", "locations": ["WESTUS"]}, PROBLEM),
        ({"kind": "OpenAI", "name": "S1", "locations": ["EASTUS2"]}, PROBLEM),
        (
            {
                "kind": "OpenAI",
                "name": "S0",
                "locations": ["EASTUS2"],
                "restrictions": [{"values": ["EASTUS2"], "reasonCode": "NotAvailableForSubscription"}],
            },
            PROBLEM,
        ),
    ],
)
def test_an_account_is_offered_in_the_region_to_the_subscription(sku: dict[str, Any], status: str) -> None:
    stack = wanted(ai={"language": {"enabled": False}})
    assert statuses(accounts.judge(stack, [sku], "GET skus")) == [status]


def test_providers_that_are_not_registered_are_named_with_the_command() -> None:
    listed = [
        {"namespace": "microsoft.dbforpostgresql", "registrationState": "NotRegistered"},
        {"namespace": "Microsoft.CognitiveServices", "registrationState": "Registering"},
    ]
    first, second = registrations.judge(wanted().providers, listed, "GET providers")
    assert (first.status, second.status) == (PROBLEM, WARNING)
    assert first.do == "az provider register --namespace Microsoft.DBforPostgreSQL --wait"


def test_every_extension_that_the_settings_know_has_a_version_on_16() -> None:
    assert {name for name in KNOWN if version_on(name, "16") is None} == set()
    assert {name for name in KNOWN if not any(version_on(name, major) for major in VERSIONS)} == set()
    assert (version_on("azure_ai", "16"), version_on("azure_ai", "18"), version_on("age", "16")) == (
        "1.3.1",
        "2.0.0",
        "1.6.0",
    )
    assert version_on("pg_ivm", "15") is None


def test_extensions_come_from_the_table_and_then_from_the_server_itself() -> None:
    stack = wanted(extensions=["vector", "azure_ai", "age"])
    (ok,) = extensions.judge(stack, None, "table")
    assert ok.found == "PostgreSQL 16 is documented to carry age 1.6.0, vector 0.8.2, azure_ai 1.3.1, or newer."
    findings = extensions.judge(stack, {"vector", "azure_ai"}, "GET azure.extensions")
    assert statuses(findings) == [OK, PROBLEM]
    assert "no age on a flexible server" in findings[1].found
    (ok, *_) = extensions.judge(wanted(state(deployed=20), extensions=["vector", "azure_ai"]), None, "table")
    assert ok.found.endswith("vector 0.8.2, azure_ai 1.3.1, or newer; this stack's database has vector 0.8.5.")
    newer = wanted(extensions=["vector", "age"], deployments={}, server={"version": "17"})
    assert statuses(extensions.judge(newer, None, "table")) == [OK, WARNING]
    older = wanted(extensions=["vector", "pg_ivm"], deployments={}, server={"version": "15"})
    assert statuses(extensions.judge(older, None, "table")) == [OK, PROBLEM]


def permission(actions: list[str], without: Sequence[str] = ()) -> dict[str, Any]:
    return {"actions": actions, "notActions": list(without)}


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ([permission(["*"])], True),
        ([permission(["*"], ["Microsoft.Authorization/*/Write"])], False),
        ([permission(["*"], ["Microsoft.Authorization/*/Write"]), permission(["microsoft.authorization/*"])], True),
        ([permission(["Microsoft.Authorization/roleAssignments/write"])], True),
        ([permission(["*/read"])], False),
        ([], False),
    ],
)
def test_an_action_is_permitted_by_a_role_that_does_not_take_it_away(permissions: Any, allowed: bool) -> None:
    assert rights.permitted("Microsoft.Authorization/roleAssignments/write", permissions) is allowed


def test_missing_rights_are_named() -> None:
    contributor = [permission(["*"], ["Microsoft.Authorization/*/Write"])]
    (found,) = rights.judge(wanted().actions, contributor, "pipeline", "the subscription", "GET permissions")
    assert found.status == PROBLEM
    assert found.found.endswith("may not, in the subscription: Microsoft.Authorization/roleAssignments/write.")
    assert statuses(rights.judge(wanted().actions, [permission(["*"])], "me", "the subscription", "GET")) == [OK]
    assert "User Access Administrator" not in found.do
    (found,) = rights.judge(wanted(lock=True).actions, contributor, "pipeline", "the subscription", "GET permissions")
    assert "Microsoft.Authorization/locks/write" in found.found
    assert "User Access Administrator" in found.do


SUBSCRIPTION = {"subscriptionId": "s", "displayName": "Contracts", "state": "Enabled", "tenantId": "t1"}
CALLER = sign_in.Caller("someone", "t1")


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name in ("ARM_ENVIRONMENT", "AZURE_ENVIRONMENT", "AZURE_RESOURCE_MANAGER_ENDPOINT", "AZURE_AUTHORITY_HOST"):
        monkeypatch.delenv(name, raising=False)
    return cloud()


def test_the_subscription_and_the_directory_are_said(public: Cloud) -> None:
    (ok,) = sign_in.judge(SUBSCRIPTION, CALLER, public, None, "GET")
    assert ok.found == "someone in Contracts (s), directory t1, AzureCloud."
    assert statuses(sign_in.judge(SUBSCRIPTION, CALLER, public, "t2", "GET")) == [WARNING]
    assert statuses(sign_in.judge({**SUBSCRIPTION, "state": "Warned"}, CALLER, public, None, "GET")) == [PROBLEM]


def test_tokens_must_come_from_the_cloud_s_own_directory(public: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sign_in.authority(public, "") == []
    monkeypatch.setenv("AZURE_ENVIRONMENT", "AzureUSGovernment")
    (found,) = sign_in.authority(cloud(), "")
    assert "export AZURE_AUTHORITY_HOST=https://login.microsoftonline.us" in found.do
    assert sign_in.authority(cloud(), "https://login.microsoftonline.us/") == []


def test_the_config_and_then_the_variable_choose_the_subscription() -> None:
    assert sign_in.subscription_of({"azure-native:subscriptionId": "a"}, {"ARM_SUBSCRIPTION_ID": "b"}) == "a"
    assert sign_in.subscription_of({}, {"ARM_SUBSCRIPTION_ID": "b"}) == "b"
