"""Settings of servers and accounts that are there: what would change them is refused, each by its path."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings import StackSettings
from tests.unit.test_settings import GOOD, GUID, mistakes

GROUP = "/subscriptions/s/resourceGroups/theirs/providers"
SERVER = f"{GROUP}/Microsoft.DBforPostgreSQL/flexibleServers/psql"
OPENAI = f"{GROUP}/Microsoft.CognitiveServices/accounts/oai"
LANGUAGE = f"{GROUP}/Microsoft.CognitiveServices/accounts/lang"
ON_SERVER: dict[str, Any] = {**GOOD, "firewall": {}, "existing": {"server": SERVER}}
IN_ACCOUNTS: dict[str, Any] = {**GOOD, "existing": {"openaiAccount": OPENAI, "languageAccount": LANGUAGE}}


def test_ids_of_other_things_are_refused() -> None:
    said = mistakes({**GOOD, "existing": {"server": OPENAI, "openaiAccount": SERVER}})
    assert "the id of a flexible server" in said["existing.server"]
    assert "the id of an AI account" in said["existing.openaiAccount"]


def test_a_server_that_is_there_needs_no_firewall() -> None:
    settings = StackSettings.parse(ON_SERVER)
    assert settings.existing.server == SERVER
    assert settings.makes_accounts


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        ({"server": {"storageGb": 64}}, "server.storageGb", "describes a server that is made"),
        ({"server": {"replicas": {}}}, "server.replicas", "describes a server that is made"),
        ({"parameters": {"work_mem": 8192}}, "parameters.work_mem", "parameter set"),
        ({"firewall": {"rules": {"here": {"start": "203.0.113.4"}}}}, "firewall.rules.here", "its owner's"),
        ({"firewall": {"allowAzureServices": True}}, "firewall.allowAzureServices", "its owner's"),
        ({"lock": True}, "lock", "its owner's"),
        ({"database": {"existing": True, "charset": "UTF8"}}, "database.charset", "leave it out"),
        ({"cost": {"autostop": {"stopAt": "19:00"}}}, "cost.autostop", "would stop a server that others use"),
        ({"monitoring": {"threatProtection": True}}, "monitoring.threatProtection", "its owner sets it"),
        ({"monitoring": {"enabled": True}}, "monitoring.workspaceId", "owner sends its logs to"),
        ({"network": {"mode": "private-endpoint"}}, "network.mode", "for one that is there say public"),
        ({"network": {"mode": "injected"}}, "existing.endpointSubnet", "is missing"),
        (
            {"network": {"mode": "injected"}, "ai": {"network": {"privateEndpoints": False, "publicAccess": True}}},
            "network.mode",
            "has no use for a server that is there",
        ),
    ],
)
def test_what_would_change_a_server_that_is_there_is_refused(change: dict[str, Any], path: str, said: str) -> None:
    assert said in mistakes({**ON_SERVER, **change})[path]


def test_the_program_makes_nobody_an_administrator_there() -> None:
    team = GOOD["authentication"]["administrators"][0]
    access = {"administrators": [team, {"name": "crew", "objectId": GUID.replace("3", "4"), "type": "Group"}]}
    said = mistakes({**ON_SERVER, "authentication": access})
    assert "is made no administrator" in said["authentication.administrators[1]"]
    said = mistakes({**ON_SERVER, "authentication": {**access, "signInAs": "crew"}})
    assert set(said) == {"authentication.administrators[0]"}
    password = {**GOOD["authentication"], "password": True, "administratorLogin": "pgadmin"}
    assert "Entra" in mistakes({**ON_SERVER, "authentication": password})["authentication.password"]
    assert set(mistakes({**ON_SERVER, "authentication": {}})) == {"authentication.administrators"}


def test_where_pg_cron_lives_may_be_said() -> None:
    cron = {**ON_SERVER, "extensions": ["vector", "azure_ai", "pg_cron"], "parameters": {"cron.database_name": "jobs"}}
    assert StackSettings.parse(cron).cron_database == "jobs"


def test_a_database_is_there_only_on_a_server_that_is() -> None:
    assert "needs existing.server" in mistakes({**GOOD, "database": {"existing": True}})["database.existing"]


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        ({"ai": {"openai": {"sku": "S0"}}}, "ai.openai.sku", "what the account that is there has"),
        ({"ai": {"language": {"sku": "S"}}}, "ai.language.sku", "what the account that is there has"),
        ({"ai": {"language": {"enabled": False}}}, "existing.languageAccount", "has no use"),
        ({"ai": {"restore": ["openai"]}}, "ai.restore", "existing.openaiAccount"),
        ({"ai": {"network": {"ipRules": ["203.0.113.0/24"]}}}, "ai.network.ipRules", "their owner decides"),
        ({"ai": {"network": {"publicAccess": True}}}, "ai.network.publicAccess", "their owner decides"),
        ({"ai": {"authentication": "keys", "assignRoles": False}}, "ai.assignRoles", "counts only with"),
        ({"extensions": ["vector"], "jobs": {}, "deployments": {}}, "existing.openaiAccount", "without azure_ai"),
    ],
)
def test_what_would_change_an_account_that_is_there_is_refused(change: dict[str, Any], path: str, said: str) -> None:
    assert said in mistakes({**IN_ACCOUNTS, **change})[path]


def test_settings_of_the_account_that_is_made_beside_it_stay() -> None:
    config = {**GOOD, "existing": {"openaiAccount": OPENAI}, "ai": {"network": {"ipRules": ["203.0.113.0/24"]}}}
    assert StackSettings.parse(config).makes_accounts
    assert not StackSettings.parse(IN_ACCOUNTS).makes_accounts


def test_roles_are_left_to_others_only_where_there_may_be_some() -> None:
    assert "counts only with existing accounts" in mistakes({**GOOD, "ai": {"assignRoles": False}})["ai.assignRoles"]
    assert not StackSettings.parse({**IN_ACCOUNTS, "ai": {"assignRoles": False}}).ai.assign_roles


def test_a_deployment_is_there_only_in_an_account_that_is() -> None:
    answers = {"model": "gpt-5.4", "existing": True, "contentFilter": "Microsoft.Default", "upgrade": "NoAutoUpgrade"}
    config = {"deployments": {**GOOD["deployments"], "answers": answers}}
    assert set(mistakes({**IN_ACCOUNTS, **config})) == {
        "deployments.answers.contentFilter",
        "deployments.answers.upgrade",
    }
    assert "needs existing.openaiAccount" in mistakes({**GOOD, **config})["deployments.answers.existing"]


def test_a_closed_network_without_azure_ai_wants_no_account_to_be_reached() -> None:
    config = {**GOOD, "firewall": {}, "network": {"mode": "injected"}, "extensions": ["vector"]}
    StackSettings.parse({**config, "jobs": {}, "deployments": {}})
