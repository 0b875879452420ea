"""AI accounts and deployments: subdomains, keys, soft delete, models, quota, one at a time."""

import pytest

from tests.emulator.arm_daemon import ACCOUNTS, COGNITIVE, GROUP, ArmDaemon, account_body, deployment_body

DELETED = f"{GROUP.partition('/resourceGroups')[0]}/providers/Microsoft.CognitiveServices"


def make(arm: ArmDaemon, name: str, kind: str = "OpenAI", sku: str = "S0", **properties: object) -> dict[str, object]:
    """Make an account with a subdomain of its own name."""
    body = account_body(kind, sku, **{"customSubDomainName": name, **properties})
    made: dict[str, object] = arm.done("PUT", f"{ACCOUNTS}/{name}", body, COGNITIVE)
    return made


def test_an_account_has_an_endpoint_and_keys(arm: ArmDaemon) -> None:
    answer = arm.call("PUT", f"{ACCOUNTS}/openai-one", account_body(customSubDomainName="openai-one"), COGNITIVE)
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Creating"
    made = make(arm, "openai-two")
    assert made["properties"]["endpoint"] == "https://openai-two.openai.azure.com/"  # type: ignore[index]
    language = make(arm, "language-one", "TextAnalytics", "S")
    assert language["properties"]["endpoint"] == "https://language-one.cognitiveservices.azure.com/"  # type: ignore[index]
    keys = arm.call("POST", f"{ACCOUNTS}/openai-two/listKeys", version=COGNITIVE).json()
    assert set(keys) == {"key1", "key2"}
    changed = arm.call("POST", f"{ACCOUNTS}/openai-two/regenerateKey", {"keyName": "Key2"}, COGNITIVE).json()
    assert changed["key1"] == keys["key1"]
    assert changed["key2"] != keys["key2"]
    account = arm.daemon.lookup.account_by_host("OPENAI-TWO.openai.azure.com:443")
    assert account is not None
    assert account.keys == (changed["key1"], changed["key2"])
    assert keys["key1"] not in repr(account)
    assert "keys" not in arm.call("GET", f"{ACCOUNTS}/openai-two", version=COGNITIVE).text


def test_no_keys_without_local_authentication(arm: ArmDaemon) -> None:
    make(arm, "keyless", disableLocalAuth=True)
    assert "disableLocalAuth" in arm.refused("POST", f"{ACCOUNTS}/keyless/listKeys", version=COGNITIVE)[2]
    account = arm.daemon.lookup.account_by_host("keyless.openai.azure.com")
    assert account is not None
    assert account.local_auth is False


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        (account_body("TextAnalytics", "S0"), "SpecialFeatureOrQuotaIdRequired", "takes the SKU F0 or S"),
        (account_body("OpenAI", "F0"), "SpecialFeatureOrQuotaIdRequired", "takes the SKU S0"),
        (account_body("Vision", "S0"), "InvalidResourceProperties", "allowed: OpenAI"),
        (account_body(customSubDomainName="taken"), "CustomDomainInUse", "'taken' is not available"),
        (account_body(networkAcls={"defaultAction": "Deny"}), "InvalidResourceProperties", "customSubDomainName"),
        ({"location": "eastus2", "kind": "OpenAI"}, "InvalidRequestContent", "sku.name"),
        (account_body(restore=True), "CanNotRestoreANonExistingResource", "to restore"),
    ],
)
def test_refused_accounts(arm: ArmDaemon, body: dict[str, object], code: str, expected: str) -> None:
    make(arm, "taken")
    found = arm.refused("PUT", f"{ACCOUNTS}/refused", body, COGNITIVE)
    assert found[1] == code
    assert expected in found[2]


def test_only_one_free_account_of_a_kind(arm: ArmDaemon) -> None:
    make(arm, "free-one", "TextAnalytics", "F0")
    body = account_body("TextAnalytics", "F0")
    assert arm.refused("PUT", f"{ACCOUNTS}/free-two", body, COGNITIVE)[1] == "CanNotCreateMultipleFreeAccounts"


def test_what_cannot_change_in_an_account(arm: ArmDaemon) -> None:
    make(arm, "steady")
    path = f"{ACCOUNTS}/steady"
    for body, expected in (
        (account_body(customSubDomainName="other"), "customSubDomainName"),
        (account_body("TextAnalytics", "S", customSubDomainName="steady"), "kind of an account"),
        ({**account_body(), "location": "westus"}, "already exists in location"),
    ):
        assert expected in arm.refused("PUT", path, body, COGNITIVE)[2]
    changed = arm.done("PATCH", path, {"properties": {"publicNetworkAccess": "Disabled"}}, COGNITIVE)
    assert changed["properties"]["endpoint"] == "https://steady.openai.azure.com/"
    account = arm.daemon.lookup.account_by_host("steady.openai.azure.com")
    assert account is not None
    assert account.public_access is False


def test_delete_is_soft_until_restore_or_purge(arm: ArmDaemon) -> None:
    make(arm, "lazarus")
    path = f"{ACCOUNTS}/lazarus"
    keys = arm.call("POST", f"{path}/listKeys", version=COGNITIVE).json()
    arm.done("DELETE", path, version=COGNITIVE)
    assert arm.call("GET", path, version=COGNITIVE).status_code == 404
    assert arm.daemon.lookup.account_by_host("lazarus.openai.azure.com") is None
    body = account_body(customSubDomainName="lazarus")
    assert arm.refused("PUT", path, body, COGNITIVE)[:2] == (409, "FlagMustBeSetForRestore")
    assert arm.refused("PUT", f"{ACCOUNTS}/other-name", body, COGNITIVE)[1] == "CustomDomainInUse"
    body["properties"]["restore"] = True
    restored = arm.done("PUT", path, body, COGNITIVE)
    assert "restore" not in restored["properties"]
    assert arm.call("POST", f"{path}/listKeys", version=COGNITIVE).json() == keys
    arm.done("DELETE", path, version=COGNITIVE)
    listed = arm.call("GET", f"{DELETED}/deletedAccounts", version=COGNITIVE).json()["value"]
    found = next(item for item in listed if item["name"] == "lazarus")
    assert found["properties"]["scheduledPurgeDate"] > found["properties"]["deletionDate"]
    assert arm.call("GET", found["id"], version=COGNITIVE).json()["name"] == "lazarus"
    assert arm.call("DELETE", found["id"], version=COGNITIVE).status_code == 200
    assert arm.call("DELETE", found["id"], version=COGNITIVE).status_code == 404
    make(arm, "lazarus")


def test_a_deployment(arm: ArmDaemon) -> None:
    make(arm, "deploying")
    path = f"{ACCOUNTS}/deploying/deployments/embedding"
    made = arm.done("PUT", path, deployment_body(capacity=120), COGNITIVE)
    properties = made["properties"]
    assert properties["provisioningState"] == "Succeeded"
    assert properties["raiPolicyName"] == "Microsoft.DefaultV2"
    assert properties["rateLimits"][0] == {"key": "request", "renewalPeriod": 60, "count": 720}
    account = arm.daemon.lookup.account_by_host("deploying.openai.azure.com")
    assert account is not None
    deployment = account.deployments["embedding"]
    assert (deployment.model, deployment.capacity, deployment.sku) == ("text-embedding-3-small", 120, "GlobalStandard")
    assert "cannot change" in arm.refused("PUT", path, deployment_body("text-embedding-3-large"), COGNITIVE)[2]
    arm.done("PUT", path, deployment_body(capacity=50), COGNITIVE)
    arm.done("DELETE", path, version=COGNITIVE)
    account = arm.daemon.lookup.account_by_host("deploying.openai.azure.com")
    assert account is not None
    assert account.deployments == {}


def test_deployments_are_one_at_a_time(arm: ArmDaemon) -> None:
    make(arm, "serial")
    path = f"{ACCOUNTS}/serial/deployments"
    first = arm.call("PUT", f"{path}/one", deployment_body(), COGNITIVE)
    assert first.status_code == 201
    for method, name, body in (("PUT", "two", deployment_body()), ("DELETE", "one", None)):
        status, code, message = arm.refused(method, f"{path}/{name}", body, COGNITIVE)
        assert (status, code) == (409, "RequestConflict")
        assert "Another operation is being performed on the parent resource" in message


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        (deployment_body("text-embedding-9"), "DeploymentModelNotSupported", "Name: text-embedding-9"),
        (deployment_body("gpt-4o"), "ServiceModelDeprecated", "deprecated since 2026-10-01"),
        (deployment_body(capacity=351, sku="Standard"), "InsufficientQuota", "require 351 new capacity"),
        (deployment_body(capacity=0), "InvalidCapacity", "'0'"),
        (deployment_body(sku="Basic"), "InvalidResourceProperties", "allowed: Standard"),
    ],
)
def test_refused_deployments(arm: ArmDaemon, body: dict[str, object], code: str, expected: str) -> None:
    make(arm, "strict")
    found = arm.refused("PUT", f"{ACCOUNTS}/strict/deployments/embedding", body, COGNITIVE)
    assert found[1] == code
    assert expected in found[2]


def test_standard_deployments_depend_on_the_region(arm: ArmDaemon) -> None:
    body = {**account_body(customSubDomainName="europe"), "location": "West Europe"}
    arm.done("PUT", f"{ACCOUNTS}/europe", body, COGNITIVE)
    path = f"{ACCOUNTS}/europe/deployments/embedding"
    refused = arm.refused("PUT", path, deployment_body(sku="Standard"), COGNITIVE)
    assert "not supported in this region 'westeurope'" in refused[2]


def test_language_accounts_have_no_deployments(arm: ArmDaemon) -> None:
    make(arm, "language-two", "TextAnalytics", "S")
    path = f"{ACCOUNTS}/language-two/deployments/embedding"
    assert "have no deployments" in arm.refused("PUT", path, deployment_body(), COGNITIVE)[2]


def test_models_and_usages_of_a_region(arm: ArmDaemon) -> None:
    make(arm, "counted")
    body = deployment_body("text-embedding-3-large", 100, "Standard")
    arm.done("PUT", f"{ACCOUNTS}/counted/deployments/large", body, COGNITIVE)
    models = arm.call("GET", f"{DELETED}/locations/eastus2/models", version=COGNITIVE).json()["value"]
    assert "text-embedding-3-large" in {item["model"]["name"] for item in models}
    usages = arm.call("GET", f"{DELETED}/locations/eastus2/usages", version=COGNITIVE).json()["value"]
    used = {item["name"]["value"]: (item["currentValue"], item["limit"]) for item in usages}
    assert used["OpenAI.Standard.text-embedding-3-large"] == (100, 350)
