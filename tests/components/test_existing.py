"""Servers and accounts that are there: read and used, never made; all that is wrong is said before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from components.mistakes import SettingsError
from tests.components.conftest import DEPLOYER, PRINCIPAL, SECRET, SUBSCRIPTION

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/theirs/providers"
SERVER = f"{GROUP}/Microsoft.DBforPostgreSQL/flexibleServers/psql-theirs"
OPENAI = f"{GROUP}/Microsoft.CognitiveServices/accounts/oai-theirs"
LANGUAGE = f"{GROUP}/Microsoft.CognitiveServices/accounts/lang-theirs"
ACCOUNTS: dict[str, Any] = {"existing": {"openaiAccount": OPENAI, "languageAccount": LANGUAGE}}
ON_SERVER: dict[str, Any] = {"firewall": {}, "existing": {"server": SERVER}}
BOTH: dict[str, Any] = {"firewall": {}, "existing": {"server": SERVER, **ACCOUNTS["existing"]}}
ALLOWED = {"allowlist": "azure_ai,pg_cron,vector"}
ELSEWHERE = "99999999-9999-4999-8999-999999999999"


def refused(deploy: Callable[..., Any], config: dict[str, Any], **options: Any) -> dict[str, str]:
    """Return what is said against a stack, by config path; nothing must have been asked for."""
    with pytest.raises(SettingsError) as caught:
        deploy(config, **{**ALLOWED, **options})
    return {mistake.path: mistake.message for mistake in caught.value.mistakes}


def kinds(recording: Any) -> set[str]:
    return {one.token.removeprefix("azure-native:") for one in recording.registrations}


# Accounts


def test_accounts_that_are_there_are_used_and_not_made(deploy: Callable[..., Any]) -> None:
    recording = deploy(ACCOUNTS)
    assert "cognitiveservices:Account" not in kinds(recording)
    settings = recording.one("database-azure-ai").inputs
    assert settings["openaiEndpoint"] == "https://oai-theirs.example.test/"
    assert settings["languageEndpoint"] == "https://lang-theirs.example.test/"
    assert (recording.exports["openaiId"], recording.exports["languageId"]) == (OPENAI, LANGUAGE)


def test_what_the_stack_makes_in_an_account_that_is_there_goes_with_the_stack(deploy: Callable[..., Any]) -> None:
    filters = {"contentFilters": {"strict": {}}}
    recording = deploy({**ACCOUNTS, "ai": filters})
    names = ("ai-deployment-answers", "ai-deployment-embedding", "ai-content-filter-strict")
    for made in map(recording.one, names):
        assert (made.inputs["accountName"], made.inputs["resourceGroupName"]) == ("oai-theirs", "theirs")
        assert not made.deleted_with, "the account stays, so nothing takes it along"
        assert made.inputs["tags"]["stack"] == "dev"
    assert recording.reaches("ai-deployment-embedding", "ai-deployment-answers"), "one at a time on an account"
    assert recording.reaches("ai-deployment-answers", "ai-content-filter-strict")
    role = recording.one("ai-openai-role")
    assert (role.inputs["scope"], role.inputs["principalId"]) == (OPENAI, PRINCIPAL)
    assert not role.deleted_with


def test_a_deployment_of_an_account_of_the_stack_has_no_tags_as_before(deploy: Callable[..., Any]) -> None:
    assert "tags" not in deploy().one("ai-deployment-embedding").inputs


def test_one_account_may_be_there_and_the_other_made(deploy: Callable[..., Any]) -> None:
    recording = deploy({"existing": {"openaiAccount": OPENAI}})
    assert [one.name for one in recording.of("azure-native:cognitiveservices:Account")] == ["ai-language"]
    assert recording.one("ai-language-role").deleted_with == "ai-language"


def test_keys_of_an_account_that_is_there_are_secret(deploy: Callable[..., Any]) -> None:
    settings = deploy({**ACCOUNTS, "ai": {"authentication": "keys", "keyInUse": 2}}).one("database-azure-ai").inputs
    assert settings["openaiKey"] == {rpc._special_sig_key: SECRET, "value": "second-key-of-the-account"}


def test_whoever_has_its_role_already_gets_none(deploy: Callable[..., Any]) -> None:
    recording = deploy({**ACCOUNTS, "ai": {"assignRoles": False}})
    assert "authorization:RoleAssignment" not in kinds(recording)


def test_a_closed_account_is_reached_by_an_endpoint_of_the_stack(deploy: Callable[..., Any]) -> None:
    closed = {"properties": {"endpoint": "https://oai-theirs.example.test/", "customSubDomainName": "oai-theirs",
                             "publicNetworkAccess": "Disabled"}}  # fmt: skip
    config = {"firewall": {}, "network": {"mode": "injected"}, "existing": {"openaiAccount": OPENAI}}
    recording = deploy(config, there={"getAccount": closed})
    connection = recording.one("ai-openai-endpoint").inputs["privateLinkServiceConnections"][0]
    assert connection["privateLinkServiceId"] == OPENAI
    assert recording.reaches("ai-openai-endpoint", "ai-deployment-embedding")
    said = refused(deploy, ACCOUNTS, there={"getAccount": closed})
    assert "answers nobody on the internet" in said["existing.openaiAccount"]


@pytest.mark.parametrize(
    ("account", "config", "path", "said"),
    [
        ({"kind": "TextAnalytics"}, {}, "existing.openaiAccount", "kind TextAnalytics; allowed: OpenAI, AIServices"),
        ({"kind": "AIServices"}, {}, "ai.openai.kind", "is OpenAI, and the account oai-theirs is of kind AIServices"),
        ({"properties": {"endpoint": "https://e/"}}, {}, "existing.openaiAccount", "has no custom subdomain"),
        (
            {"properties": {"endpoint": "https://e/", "customSubDomainName": "x", "disableLocalAuth": True}},
            {"ai": {"authentication": "keys"}},
            "existing.openaiAccount",
            f"az resource update --ids {OPENAI} --set properties.disableLocalAuth=false",
        ),
        (None, {}, "existing.openaiAccount", "it is not there; look with `az resource show --ids"),
    ],
)
def test_an_account_that_does_not_fit_is_refused(
    deploy: Callable[..., Any], account: Any, config: dict[str, Any], path: str, said: str
) -> None:
    given = {**config, "existing": {"openaiAccount": OPENAI}}
    assert said in refused(deploy, given, there={"getAccount": account})[path]


def test_an_account_elsewhere_is_used_and_told(deploy: Callable[..., Any]) -> None:
    recording = deploy({"existing": {"openaiAccount": OPENAI}}, there={"getAccount": {"location": "West US 3"}})
    assert [line for line in recording.lines if "oai-theirs lies in westus3 and the stack in eastus2" in line]


def test_an_account_of_another_subscription_gets_a_provider_of_its_own(deploy: Callable[..., Any]) -> None:
    recording = deploy({"existing": {"openaiAccount": OPENAI.replace(SUBSCRIPTION, ELSEWHERE)}})
    [provider] = recording.of("pulumi:providers:azure-native")
    assert provider.inputs["subscriptionId"] == ELSEWHERE
    assert provider.name in recording.one("ai-deployment-embedding").request.provider
    assert "subscription-" not in recording.one("ai-language").request.provider
    assert not deploy(ACCOUNTS).of("pulumi:providers:azure-native")


# Deployments


THERE = {
    "properties": {"model": {"name": "text-embedding-3-small", "version": "1"}},
    "sku": {"name": "Standard", "capacity": 77},
}


def test_a_deployment_that_is_there_counts_as_it_is(deploy: Callable[..., Any]) -> None:
    embedding = {"model": "text-embedding-3-small", "existing": True, "capacity": 5}
    config = {**ACCOUNTS, "deployments": {"embedding": embedding}}
    recording = deploy(config, there={"getDeployment": THERE})
    assert "cognitiveservices:Deployment" not in kinds(recording)
    assert recording.one("database-job-notes").inputs["deployment"]["tokensPerMinute"] == 77_000
    assert [line for line in recording.lines if "deployments.embedding.capacity: is 5 here and 77 in" in line]
    assert not [line for line in recording.lines if "deployments.embedding.sku" in line], "nobody declared it"


@pytest.mark.parametrize(
    ("there", "path", "said"),
    [
        (None, "deployments.embedding.existing", "oai-theirs has no deployment embedding"),
        (
            {**THERE, "properties": {"model": {"name": "text-embedding-3-large", "version": "1"}}},
            "deployments.embedding.model",
            "is text-embedding-3-small, and embedding in oai-theirs is text-embedding-3-large",
        ),
        (
            {**THERE, "sku": {"name": "ProvisionedManaged", "capacity": 50}},
            "deployments.embedding.existing",
            "whose capacity is no number of tokens a minute",
        ),
    ],
)
def test_a_deployment_that_is_not_there_or_another_is_refused(
    deploy: Callable[..., Any], there: Any, path: str, said: str
) -> None:
    embedding = {"model": "text-embedding-3-small", "existing": True}
    config = {**ACCOUNTS, "deployments": {"embedding": embedding}}
    assert said in refused(deploy, config, there={"getDeployment": there})[path]


def test_a_preview_refuses_to_write_over_a_deployment_of_others(deploy: Callable[..., Any]) -> None:
    theirs = {"getDeployment": {**THERE, "tags": {"stack": "other", "project": "postgres-genai"}}}
    with pytest.raises(pulumi.RunError, match=r"of oai-theirs is there already.*existing: true"):
        deploy(ACCOUNTS, preview=True, exists=False, there=theirs)
    ours = {"getDeployment": {**THERE, "tags": {"stack": "dev", "project": "postgres-genai"}}}
    deploy(ACCOUNTS, preview=True, exists=False, there=ours)  # a replacement of the stack's own
    deploy(ACCOUNTS, preview=True, there=theirs)  # in the stack's state
    deploy(ACCOUNTS, preview=True, exists=False)  # a new one


def test_a_preview_refuses_to_write_over_a_filter_of_others(deploy: Callable[..., Any]) -> None:
    config = {**ACCOUNTS, "ai": {"contentFilters": {"strict": {}}}}
    with pytest.raises(pulumi.RunError, match="content filter strict of oai-theirs is there already"):
        deploy(config, preview=True, exists=False, there={"getRaiPolicy": {"name": "strict"}})


# A server


def test_a_server_that_is_there_is_used_and_nothing_of_it_is_made(deploy: Callable[..., Any]) -> None:
    recording = deploy(ON_SERVER, **ALLOWED)
    made = {one.name for one in recording.registrations if "dbforpostgresql" in one.token or "server" in one.name}
    assert made == {"server", "server-database"}
    assert "pulumi-python:dynamic/postgresql:RestartIfPending" not in kinds(recording)
    database = recording.one("server-database")
    assert (database.inputs["serverName"], database.inputs["resourceGroupName"]) == ("psql-theirs", "theirs")
    extension = recording.one("database-extension-vector")
    assert extension.inputs["connection"]["host"] == "psql-theirs.postgres.database.azure.com"
    assert extension.inputs["connection"]["user"] == "team"
    assert recording.reaches("database-extension-vector", "server-database")
    assert recording.one("ai-openai-role").inputs["principalId"] == PRINCIPAL
    assert recording.exports["serverId"] == SERVER


def test_nothing_inside_it_counts_on_the_servers_delete(deploy: Callable[..., Any]) -> None:
    pool = {"image": "example.azurecr.io/postgres-genai-worker:1.0"}
    recording = deploy({**ON_SERVER, "workers": {"pool": pool}}, **ALLOWED)
    for registration in recording.registrations:
        if registration.name.startswith(("server", "database", "operations-workers")):
            assert not registration.deleted_with, registration.name
    assert recording.one("database-sql-vectorize").request.retainOnDelete, "as in any other stack"


def test_the_protection_is_of_the_database(deploy: Callable[..., Any]) -> None:
    assert deploy({**ON_SERVER, "protect": True}, **ALLOWED).one("server-database").request.protect is True


def test_a_database_that_is_there_is_used_too(deploy: Callable[..., Any]) -> None:
    config = {**ON_SERVER, "database": {"name": "shop", "existing": True}}
    recording = deploy(config, **ALLOWED, there={"getDatabase": {"name": "shop"}})
    assert "dbforpostgresql:Database" not in kinds(recording)
    assert recording.one("database-extension-vector").inputs["connection"]["database"] == "shop"
    assert "has no database shop" in refused(deploy, config)["database.existing"]
    with pytest.raises(pulumi.RunError, match=r"database contracts of psql-theirs is there already.*database.existing"):
        deploy(ON_SERVER, **ALLOWED, preview=True, exists=False, there={"getDatabase": {"name": "contracts"}})


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"state": "Stopped"}, "is Stopped and not Ready: `az postgres flexible-server start --subscription"),
        ({"state": "Updating"}, "is Updating and not Ready"),
        ({"replicationRole": "AsyncReplica"}, "is a read replica"),
        ({"version": "12"}, "is PostgreSQL 12; allowed: 14"),
        ({"identity": None}, "flexible-server identity update"),
        ({"authConfig": {"activeDirectoryAuth": "Disabled"}}, "--microsoft-entra-auth Enabled"),
        (None, "it is not there"),
    ],
)
def test_a_server_that_cannot_be_used_is_refused_with_the_command(
    deploy: Callable[..., Any], server: Any, said: str
) -> None:
    assert said in refused(deploy, ON_SERVER, there={"getServer": server})["existing.server"]


def test_an_extension_that_it_does_not_allow_is_refused_with_the_whole_list(deploy: Callable[..., Any]) -> None:
    said = refused(deploy, ON_SERVER, allowlist="PG_TRGM")["existing.server"]
    command = (
        "--resource-group theirs --server-name psql-theirs --name azure.extensions --value azure_ai,pg_trgm,vector"
    )
    assert "does not allow azure_ai, vector" in said
    assert command in said
    said = refused(deploy, {**ON_SERVER, "extensions": ["age", "vector", "azure_ai"]}, allowlist="age,vector,azure_ai")
    assert (
        "--value pg_cron,pg_stat_statements,age`, then `az postgres flexible-server restart" in said["existing.server"]
    )
    waiting = {"getConfiguration": {"value": "age,azure_ai,vector", "isConfigPendingRestart": True}}
    said = refused(deploy, {**ON_SERVER, "extensions": ["age", "vector", "azure_ai"]}, there=waiting)
    assert "waits for a restart before it preloads age" in said["existing.server"]


def test_pg_cron_is_looked_for_where_it_lives(deploy: Callable[..., Any]) -> None:
    config = {**ON_SERVER, "extensions": ["vector", "azure_ai", "pg_cron"]}
    said = refused(deploy, config)
    assert "say cron.database_name: postgres" in said["parameters.cron.database_name"]
    recording = deploy({**config, "parameters": {"cron.database_name": "postgres"}}, **ALLOWED)
    assert recording.one("database-extension-pg_cron").inputs["connection"]["database"] == "postgres"


def test_who_signs_in_must_be_an_administrator_there(deploy: Callable[..., Any]) -> None:
    said = refused(deploy, ON_SERVER, there={"getAdministratorsMicrosoftEntra": None})["existing.server"]
    assert "microsoft-entra-admin create" in said
    assert f'--display-name "team" --object-id {DEPLOYER} --type Group`' in said
    other = refused(deploy, ON_SERVER, there={"getAdministratorsMicrosoftEntra": {"principalName": "crew"}})
    assert "signs in as team" in other["authentication"]
    access = {"authentication": {"deployer": {"name": "team", "type": "User"}}}
    assert deploy({**ON_SERVER, **access}, **ALLOWED).exports["databaseUser"] == "team"


def test_the_mode_of_the_network_is_that_of_the_server(deploy: Callable[..., Any]) -> None:
    desk = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub/subnets/desk"
    config = {**ON_SERVER, "network": {"mode": "injected"}, "existing": {"server": SERVER, "endpointSubnet": desk}}
    recording = deploy(config, **ALLOWED, subnet="/subscriptions/s/virtualNetworks/hub/subnets/database")
    assert recording.one("ai-openai-endpoint").inputs["subnet"]["id"] == desk
    assert "network:VirtualNetwork" not in kinds(recording)
    assert not [one for one in recording.registrations if one.name == "server-endpoint"]
    assert "lies in no subnet" in refused(deploy, config)["network.mode"]


def test_alerts_follow_no_size_that_is_not_known(deploy: Callable[..., Any]) -> None:
    workspace = f"{GROUP}/Microsoft.OperationalInsights/workspaces/theirs"
    recording = deploy({**BOTH, "monitoring": {"enabled": True, "workspaceId": workspace}}, **ALLOWED)
    assert "monitor:DiagnosticSetting" not in kinds(recording), "those are the owners'"
    alerts = {one.name for one in recording.of("azure-native:monitor:MetricAlert")}
    assert alerts
    assert not [name for name in alerts if name.startswith("operations-monitoring-server-")]
    assert recording.one("operations-monitoring-vectorize-stopped"), "what jobs log is watched"


# Both


def test_a_role_that_the_identity_has_already_is_refused_in_preview(deploy: Callable[..., Any]) -> None:
    has = {"getRoleAssignment": {"name": "x", "principalId": PRINCIPAL}}
    with pytest.raises(pulumi.RunError, match=r"the role of .* on .*-theirs is there already.*ai.assignRoles: false"):
        deploy(BOTH, **ALLOWED, preview=True, exists=False, there=has)
    deploy(BOTH, **ALLOWED, preview=True, there=has)  # the stack's own
    deploy({**BOTH, "ai": {"assignRoles": False}}, **ALLOWED, preview=True, exists=False, there=has)


def test_everything_wrong_is_said_at_once(deploy: Callable[..., Any]) -> None:
    said = refused(deploy, BOTH, there={"getServer": {"state": "Stopped"}, "getAccount": {"kind": "SpeechServices"}})
    assert set(said) == {"existing.server", "existing.openaiAccount", "existing.languageAccount"}


def test_a_stack_that_makes_everything_asks_nothing_at_the_start(deploy: Callable[..., Any]) -> None:
    assert "getServer" not in {call.rpartition(":")[2] for call in deploy().calls}
