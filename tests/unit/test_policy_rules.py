"""Every rule of the policy pack passes a good stack and finds the one made to break it."""

from __future__ import annotations

from datetime import date

import pytest

from policy.plan import ACCOUNT, RESOURCE_GROUP, SERVER, UNKNOWN, Plan
from policy.rules import RULES
from policy.rules.ai_deployments import safe_deployment
from tests.unit.policy_plan import (
    PARAMETERS,
    TODAY,
    Spoil,
    exporting,
    firewall,
    plan,
    setting,
    unprotected,
    without,
)

BY_ID = {rule.id: rule for rule in RULES}
PUBLIC = setting("server", "network", "publicNetworkAccess", value="Enabled")

# (rule, what breaks it, words of what it says)
BROKEN: list[tuple[str, Spoil, str]] = [
    ("pg-public-access-off", PUBLIC, "public address"),
    ("pg-public-access-off", setting("server", "network", value=None), "public address"),
    ("pg-no-allow-azure-rule", firewall(("0.0.0.0", "0.0.0.0")), "every address of Azure"),
    ("pg-firewall-narrow", firewall(("203.0.113.0", "203.0.113.255")), "256 addresses"),
    ("pg-firewall-narrow", firewall(*[(f"203.0.113.{n}", f"203.0.113.{n}") for n in range(11)]), "11 firewall rules"),
    ("pg-private-link-or-injection", without("endpoint-server"), "neither inside a virtual network"),
    ("pg-entra-admin", without("administrator"), "no Entra administrator"),
    ("pg-entra-admin", setting("server", "authConfig", "activeDirectoryAuth", value="Disabled"), "nobody signs in"),
    ("pg-entra-only", setting("server", "authConfig", "passwordAuth", value="Enabled"), "passwords are taken"),
    ("pg-entra-only", setting("server", "authConfig", "passwordAuth", value=None), "passwords are taken"),
    ("pg-geo-backup", setting("server", "backup", "geoRedundantBackup", value="Disabled"), "geoRedundantBackup"),
    ("pg-backup-retention", setting("server", "backup", "backupRetentionDays", value=7), "7 days, fewer than 14"),
    ("pg-backup-retention", setting("server", "backup", value=None), "7 days, fewer than 14"),
    ("pg-zone-redundant-ha", setting("server", "highAvailability", "mode", value="SameZone"), "SameZone"),
    ("pg-zone-redundant-ha", setting("server", "highAvailability", value=None), "Disabled"),
    ("pg-storage-autogrow", setting("server", "storage", "autoGrow", value="Disabled"), "read-only"),
    ("pg-custom-maintenance", setting("server", "maintenanceWindow", value=None), "Azure chooses"),
    ("pg-burstable-in-prod", setting("server", "sku", value={"name": "Standard_B2s", "tier": "Burstable"}), "B2s"),
    ("pg-read-replica", without("replica"), "no read replica"),
    ("pg-tls12", setting("server-pgaudit.log", "configurationName", value="require_secure_transport"), "unencrypted"),
    ("pg-log-parameters", without("server-connection_throttle.enable"), "connection_throttle.enable is off"),
    ("pg-log-parameters", setting("server-logfiles.retention_days", "value", value="3"), "is 3, not 4 to 7"),
    ("pg-log-parameters", setting("server-pgaudit.log", "configurationName", value="log_connections"), "log_conn"),
    ("pg-audit", setting("server-azure.extensions", "value", value="vector"), "azure.extensions has no pgaudit"),
    ("pg-audit", without("server-shared_preload_libraries"), "shared_preload_libraries has no pgaudit"),
    ("pg-audit", setting("server-pgaudit.log", "value", value="ddl"), "lacks misc, role"),
    ("pg-cmk", setting("server", "dataEncryption", value=None), "the service's own keys"),
    ("pg-diagnostics", without("logs-server"), "no diagnostic setting"),
    ("pg-threat-protection", without("threats"), "does not watch"),
    ("pg-cannot-delete", unprotected, "not protected"),
    ("pg-cannot-delete", without("lock"), "no lock"),
    ("ai-local-auth-off", setting("openai", "properties", "disableLocalAuth", value=False), "whoever has a key"),
    ("ai-network-restricted", setting("openai", "properties", "publicNetworkAccess", value="Enabled"), "not Deny"),
    ("ai-private-endpoint", without("endpoint-openai"), "no private endpoint"),
    ("ai-managed-identity", setting("openai", "identity", value=None), "no managed identity"),
    (
        "ai-outbound-restricted",
        setting("openai", "properties", "restrictOutboundNetworkAccess", value=None),
        "any addr",
    ),
    ("ai-diagnostics", without("logs-openai"), "no diagnostic setting"),
    ("ai-deployment-safe", setting("embedding", "properties", "model", "name", value="gpt-2"), "approved models"),
    ("ai-deployment-safe", setting("embedding", "properties", "raiPolicyName", value=None), "no content filter"),
    ("ai-deployment-safe", setting("embedding", "sku", "capacity", value=None), "sku.capacity is left to Azure"),
    ("tags", setting("server", "tags", "owner", value=None), "no owner on"),
    ("tags", setting("group", "tags", value=None), "data-class on group"),
    ("secrets-not-in-outputs", exporting("databasePassword", UNKNOWN), "is named like"),
    ("secrets-not-in-outputs", exporting("openaiKey1", "x"), "is named like"),
]


def found(rule: str, *spoils: Spoil) -> list[str]:
    """Return what a rule finds in the good plan, spoiled."""
    return [violation.found for violation in BY_ID[rule].check(plan(*spoils))]


@pytest.mark.parametrize("rule", BY_ID)
def test_a_good_stack_passes(rule: str) -> None:
    assert found(rule) == []


@pytest.mark.parametrize(("rule", "spoil", "words"), BROKEN, ids=[f"{rule}-{words}" for rule, _, words in BROKEN])
def test_a_stack_made_to_break_it_is_found(rule: str, spoil: Spoil, words: str) -> None:
    texts = found(rule, spoil)
    assert len(texts) == 1
    assert words in texts[0]


def test_every_rule_has_a_stack_that_breaks_it() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(BY_ID)


def test_ids_are_unique_and_every_rule_says_who_asks_and_what_to_do() -> None:
    assert len(BY_ID) == len(RULES)
    for rule in RULES:
        assert rule.description.endswith(".")
        assert rule.remediation.endswith(".")
        assert rule.source


def test_no_rule_is_milder_in_prod_than_elsewhere() -> None:
    for rule in RULES:
        strictness = [level.strictness for level in rule.levels]
        assert strictness == sorted(strictness), rule.id


def test_a_server_inside_a_network_needs_no_endpoint_and_has_no_public_address() -> None:
    inside = setting("server", "network", value={"delegatedSubnetResourceId": UNKNOWN})
    assert found("pg-private-link-or-injection", inside, without("endpoint-server")) == []
    assert found("pg-public-access-off", inside) == []


def test_a_replica_takes_sign_in_backup_standby_and_parameters_from_its_primary() -> None:
    bare = [setting("replica", part, value=None) for part in ("authConfig", "backup", "highAvailability")]
    bare.append(without(*(f"replica-{name}" for name in PARAMETERS)))
    for rule in (
        "pg-entra-admin", "pg-entra-only", "pg-geo-backup", "pg-backup-retention", "pg-zone-redundant-ha",
        "pg-tls12", "pg-log-parameters", "pg-audit",
    ):  # fmt: skip
        assert found(rule, *bare) == [], rule


def test_an_account_that_denies_by_default_may_be_public() -> None:
    open_by_rule = setting(
        "openai", "properties", value={"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Deny"}}
    )
    assert found("ai-network-restricted", open_by_rule) == []


def test_what_is_not_known_yet_passes() -> None:
    unknown = [
        setting("server", "backup", value=UNKNOWN),
        setting("server", "storage", value=UNKNOWN),
        setting("server-logfiles.retention_days", "value", value=UNKNOWN),
        setting("openai", "properties", "disableLocalAuth", value=UNKNOWN),
    ]
    for rule in (
        "pg-geo-backup",
        "pg-backup-retention",
        "pg-storage-autogrow",
        "pg-log-parameters",
        "ai-local-auth-off",
    ):
        assert found(rule, *unknown) == [], rule


def test_a_password_is_found_wherever_it_is_exported() -> None:
    given = setting("server", "administratorLoginPassword", value="Tr0ub4dor")
    assert found("secrets-not-in-outputs", given) == []
    texts = found("secrets-not-in-outputs", given, exporting("connection", {"dsn": ["host=x password=Tr0ub4dor"]}))
    assert texts == ["the output connection holds a password or a key"]


def test_a_model_warns_ninety_days_before_it_retires() -> None:
    assert list(safe_deployment(plan(today=date(2027, 1, 14)))) == []
    texts = [violation.found for violation in safe_deployment(plan(today=date(2027, 1, 15)))]
    assert texts == ["text-embedding-3-small retires on 2027-04-15, within 90 days"]


@pytest.mark.parametrize("rule", BY_ID)
def test_what_is_not_the_stacks_own_is_not_judged(rule: str) -> None:
    """A server and accounts that are given by id are no resources of the stack: the rules hold their owner's."""
    resources = [one for one in plan().resources if one.kind not in (SERVER, ACCOUNT, RESOURCE_GROUP)]
    assert list(BY_ID[rule].check(Plan(tuple(resources), TODAY))) == []
