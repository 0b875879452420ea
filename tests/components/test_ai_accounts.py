"""Accounts: one deployment after another, no keys unless asked for, roles that a second `up` finds again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from pulumi.runtime import rpc

PRINCIPAL = "44444444-4444-4444-8444-444444444444"


def test_deployments_go_one_after_another(deploy: Callable[..., Any]) -> None:
    recording = deploy(
        {"deployments": {name: {"model": "text-embedding-3-small"} for name in ("embedding", "aa", "zz")}}
    )
    assert recording.reaches("ai-deployment-aa", "ai-openai")
    assert recording.reaches("ai-deployment-embedding", "ai-deployment-aa")
    assert recording.reaches("ai-deployment-zz", "ai-deployment-embedding")


def test_embeddings_never_change_their_version_by_themselves(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    properties = recording.one("ai-deployment-embedding").inputs["properties"]
    assert properties["model"] == {"format": "OpenAI", "name": "text-embedding-3-small", "version": "1"}
    assert properties["versionUpgradeOption"] == "NoAutoUpgrade"
    assert "properties.model.name" in recording.one("ai-deployment-embedding").request.replaceOnChanges


def test_the_identity_gets_roles_and_local_authentication_is_off(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    for account in recording.of("azure-native:cognitiveservices:Account"):
        assert account.inputs["properties"]["disableLocalAuth"] is True
        assert account.inputs["properties"]["customSubDomainName"] == account.inputs["accountName"]
        assert account.inputs["accountName"].endswith("-abc123")
    assert recording.one("ai-language").inputs["kind"] == "TextAnalytics"
    role = recording.one("ai-openai-role").inputs
    assert role["principalType"] == "ServicePrincipal"
    assert role["principalId"] == PRINCIPAL
    assert role["roleDefinitionId"].endswith("/roleDefinitions/5e0bd9bd-7b93-4f28-af87-19fc36ad61bd")
    assert role["roleDefinitionId"].startswith("/subscriptions/11111111-1111-4111-8111-111111111111/")
    again = deploy().one("ai-openai-role").inputs
    assert uuid.UUID(role["roleAssignmentName"])
    assert again["roleAssignmentName"] == role["roleAssignmentName"]
    assert recording.one("ai-language-role").inputs["roleAssignmentName"] != role["roleAssignmentName"]


def test_keys_are_secret_inputs_and_need_no_role(deploy: Callable[..., Any]) -> None:
    recording = deploy({"ai": {"authentication": "keys"}})
    assert not recording.of("azure-native:authorization:RoleAssignment")
    settings = recording.one("database-azure-ai").inputs
    assert settings["authentication"] == "keys"
    for name in ("openaiKey", "languageKey"):
        assert settings[name][rpc._special_sig_key] == rpc._special_secret_sig
    for account in recording.of("azure-native:cognitiveservices:Account"):
        assert account.inputs["properties"]["disableLocalAuth"] is False


def test_without_language_there_is_one_account(deploy: Callable[..., Any]) -> None:
    recording = deploy({"ai": {"language": {"enabled": False}}})
    assert [one.name for one in recording.of("azure-native:cognitiveservices:Account")] == ["ai-openai"]
    assert recording.one("database-azure-ai").inputs.get("languageEndpoint") is None


def test_the_first_call_waits_for_roles_and_deployments(deploy: Callable[..., Any]) -> None:
    recording = deploy()
    waits = recording.one("database-azure-ai").depends_on
    assert {"ai-deployment-embedding", "ai-openai-role", "ai-language-role"} <= waits
    assert recording.one("database-azure-ai").inputs["verifyDeployment"] == "embedding"


def test_content_filters_come_before_the_deployments_that_use_them(deploy: Callable[..., Any]) -> None:
    answers = {"model": "gpt-5.4", "contentFilter": "strict"}
    filters = {"strict": {"hate": "Low", "shields": ["Jailbreak"]}, "other": {"mode": "asynchronous"}}
    recording = deploy(
        {
            "ai": {"contentFilters": filters},
            "deployments": {"answers": answers, "embedding": {"model": "text-embedding-3-small"}},
        }
    )
    strict = recording.one("ai-content-filter-strict").inputs["properties"]
    assert strict["basePolicyName"] == "Microsoft.DefaultV2"
    assert strict["mode"] == "Blocking"
    assert {
        "name": "Hate",
        "severityThreshold": "Low",
        "source": "Prompt",
        "blocking": True,
        "enabled": True,
    } in strict["contentFilters"]
    assert [one for one in strict["contentFilters"] if "severityThreshold" not in one] == [
        {"name": "Jailbreak", "source": "Prompt", "blocking": True, "enabled": True}
    ]
    assert recording.reaches("ai-content-filter-strict", "ai-content-filter-other"), "one at a time on an account"
    assert recording.reaches("ai-deployment-answers", "ai-content-filter-strict")
    assert recording.one("ai-deployment-answers").inputs["properties"]["raiPolicyName"] == "strict"
    assert recording.one("ai-deployment-embedding").inputs["properties"]["raiPolicyName"] == "Microsoft.DefaultV2"


def test_a_deployment_is_upgraded_as_its_setting_says(deploy: Callable[..., Any]) -> None:
    deployments = {
        "answers": {"model": "gpt-5.4", "upgrade": "OnceNewDefaultVersionAvailable"},
        "embedding": {"model": "text-embedding-3-small", "upgrade": "OnceCurrentVersionExpired"},
    }
    recording = deploy({"deployments": deployments})
    for name, wanted in deployments.items():
        assert recording.one(f"ai-deployment-{name}").inputs["properties"]["versionUpgradeOption"] == wanted["upgrade"]
    assert [line for line in recording.lines if "deployments.embedding.upgrade: when the version retires" in line]
    assert (
        deploy().one("ai-deployment-answers").inputs["properties"]["versionUpgradeOption"]
        == "OnceCurrentVersionExpired"
    )


def test_only_the_accounts_that_are_named_are_brought_back(deploy: Callable[..., Any]) -> None:
    recording = deploy({"ai": {"restore": ["language"]}})
    assert recording.one("ai-language").inputs["properties"]["restore"] is True
    assert "restore" not in recording.one("ai-openai").inputs["properties"]
