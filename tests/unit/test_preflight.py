"""What a preflight makes of the answers of Azure, and of those that it does not get."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from components.catalogue.extension_versions import version_on
from components.catalogue.extensions import KNOWN
from components.catalogue.server_sizes import VERSIONS
from components.cloud import Cloud, cloud
from components.settings import StackSettings
from tools.commands.preflight import sentence
from tools.preflight import accounts, dns_zones, extensions, models, names, registrations, rights, servers, sign_in
from tools.preflight.checking import Report, at_once
from tools.preflight.finding import OK, PROBLEM, UNKNOWN, WARNING, Finding, exit_status, worst
from tools.preflight.resource_manager import NotReadError, ResourceManager, version_of
from tools.preflight.wanted import Wanted, WantedDeployment, wanted_of

TODAY = dt.date(2026, 11, 1)
SETTINGS: dict[str, Any] = {
    "location": "eastus2",
    "authentication": {
        "entra": True,
        "administrators": [{"name": "team", "objectId": "0" * 8 + "-0000" * 3 + "-" + "0" * 12}],
    },
    "firewall": {"rules": {"here": {"start": "203.0.113.1"}}},
    "extensions": ["vector", "azure_ai"],
    "deployments": {"embedding": {"model": "text-embedding-3-small", "version": "1", "capacity": 30}},
}
URN = "urn:pulumi:dev::postgres-genai::"


def state(*, deployed: int = 0) -> list[dict[str, Any]]:
    """A state with the suffix, and a server, an account and a deployment where there is capacity."""
    found: list[dict[str, Any]] = [
        {
            "type": "random:index/randomString:RandomString",
            "urn": f"{URN}random:index/randomString:RandomString::suffix",
            "outputs": {"result": "a1b2c3"},
        }
    ]
    if deployed:
        group = "/subscriptions/s/resourceGroups/rg-pgai-dev"
        found += [
            {"type": "azure-native:resources:ResourceGroup", "urn": "u", "id": group},
            {
                "type": "azure-native:dbforpostgresql:Server",
                "urn": "u",
                "id": f"{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql-pgai-dev-a1b2c3",
            },
            {
                "type": "azure-native:cognitiveservices:Deployment",
                "urn": "u",
                "id": "x",
                "inputs": {
                    "sku": {"name": "GlobalStandard", "capacity": float(deployed)},
                    "properties": {"model": {"name": "text-embedding-3-small"}},
                },
            },
        ]
    return found


def wanted(resources: Sequence[dict[str, Any]] = (), **settings: Any) -> Wanted:
    return wanted_of(StackSettings.parse({**SETTINGS, **settings}, stack="dev"), "dev", resources)


def statuses(findings: Sequence[Finding]) -> list[str]:
    return [finding.status for finding in findings]


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


def test_a_worker_pool_asks_for_its_own_rights_and_providers() -> None:
    image = "registry.example.com/postgres-genai-worker:1.0"
    found = wanted(firewall={"rules": {}, "allowAzureServices": True}, workers={"pool": {"image": image}})
    assert {"Microsoft.App", "Microsoft.ManagedIdentity"} <= set(found.providers)
    for action in ("Microsoft.App/jobs/write", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"):
        assert action in found.actions


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
        ([usage(100, 70)], 0, OK, "30 asked, 30 of 100 free"),
        ([usage(100, 80)], 0, PROBLEM, "10 too few. Lower the capacity to 20 or less"),
        ([usage(100, 100)], 20, PROBLEM, "10 too few. Lower the capacity to 20"),
        ([usage(100, 100)], 30, OK, "30 of 100 free"),
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
    assert "110 asked, 100 of 100 free" in found.found


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
    assert ok.found == "PostgreSQL 16 carries age 1.6.0, vector 0.8.2, azure_ai 1.3.1."
    findings = extensions.judge(stack, {"vector", "azure_ai"}, "GET azure.extensions")
    assert statuses(findings) == [OK, PROBLEM]
    assert "no age on a flexible server" in findings[1].found
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


@pytest.mark.parametrize(
    ("there", "status", "code"),
    [
        ([OK, OK], OK, 0),
        ([OK, WARNING], WARNING, 0),
        ([WARNING, UNKNOWN], UNKNOWN, 2),
        ([UNKNOWN, PROBLEM], PROBLEM, 1),
        ([], OK, 0),
    ],
)
def test_the_exit_status(there: list[str], status: str, code: int) -> None:
    findings = [Finding(check="c", status=one, found="f") for one in there]
    assert (worst(findings), exit_status(findings)) == (status, code)


def test_the_data_keep_their_keys() -> None:
    report = Report("dev", "eastus2", "s", [Finding(check="c", status=OK, found="f", do="d", read="r")], 1.26)
    assert report.to_json() == {
        "stack": "dev",
        "location": "eastus2",
        "subscription": "s",
        "status": "ok",
        "seconds": 1.3,
        "checks": [{"check": "c", "status": "ok", "found": "f", "do": "d", "read": "r"}],
    }
    assert sentence(report) == "preflight of dev in eastus2: 1 all right"


def test_what_is_late_refused_or_not_understood_hides_nothing_else() -> None:
    release = threading.Event()

    def late() -> list[Finding]:
        release.wait(30)
        return []

    def refused() -> list[Finding]:
        raise NotReadError("AuthorizationFailed: no")

    def strange() -> list[Finding]:
        raise KeyError("name")

    ok = Finding(check="fine", status=OK, found="f")
    try:
        found = at_once({"late": late, "fine": lambda: [ok], "refused": refused, "strange": strange}, 0.5)
    finally:
        release.set()
    assert [finding.check for finding in found] == ["late", "fine", "refused", "strange"]
    assert statuses(found) == [UNKNOWN, OK, UNKNOWN, UNKNOWN]
    assert "did not answer within" in found[0].found
    assert found[2].found == "Not checked: AuthorizationFailed: no."
    assert "was not understood" in found[3].found


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/subscriptions/s", "2022-12-01"),
        ("/subscriptions/s/providers", "2021-04-01"),
        ("/subscriptions/s/resourceGroups/rg", "2024-03-01"),
        ("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Authorization/permissions", "2022-04-01"),
        ("/subscriptions/s/providers/Microsoft.DBforPostgreSQL/checkNameAvailability", "2025-08-01"),
        ("/subscriptions/s/providers/Microsoft.CognitiveServices/locations/eastus2/usages", "2025-06-01"),
        ("/subscriptions/s/providers/Microsoft.Network/privateDnsZones", "2024-06-01"),
    ],
)
def test_each_question_has_its_version(path: str, version: str) -> None:
    assert version_of(path) == version


class Pages(ResourceManager):
    """Resource Manager with a list of three pages, the last of them at another address."""

    def __init__(self) -> None:
        self._base = "https://arm.example"
        self.asked: list[str] = []

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        self.asked.append(path)
        following = "https://arm.example/list?page=2" if len(self.asked) == 1 else "https://elsewhere.example/list"
        return {"value": [{"name": str(len(self.asked))}], "nextLink": following}


def test_a_list_is_read_page_by_page_and_never_at_another_address() -> None:
    pages = Pages()
    assert [item["name"] for item in pages.list("/list")] == ["1", "2"]
    assert pages.asked == ["/list", "https://arm.example/list?page=2"]
