"""Every dangerous change is found, and its opposite is not; the engine's reports come to the right change."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from emulator.providers.resource_types import RESOURCE_TYPES
from policy.change import UNKNOWN_TEXT, Change
from policy.dangers import DANGERS
from policy.decisions import Decisions
from policy.plan import ACCOUNT, DATABASE, DEPLOYMENT, RESOURCE_GROUP, SERVER
from policy.rule import Level
from tools.events import Events
from tools.gate import Preview, dangers

BY_ID = {danger.id: danger for danger in DANGERS}
DAY = date(2026, 6, 1)
D2 = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
D4 = {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}
E2 = {"name": "Standard_E2ds_v5", "tier": "MemoryOptimized"}
B2 = {"name": "Standard_B2s", "tier": "Burstable"}
B4 = {"name": "Standard_B4ms", "tier": "Burstable"}

# (danger, input, before, after, whether it is one)
UPDATES: list[tuple[str, str, Any, Any, bool]] = [
    ("change-server-smaller", "sku", D4, D2, True),
    ("change-server-smaller", "sku", D2, D4, False),
    ("change-server-smaller", "sku", D2, E2, False),
    ("change-server-smaller", "sku", E2, D2, True),
    ("change-server-smaller", "sku", D2, B4, True),
    ("change-server-smaller", "sku", B2, D2, False),
    ("change-server-smaller", "sku", {"name": "Standard_X9"}, D2, False),
    ("change-server-larger", "sku", D2, D4, True),
    ("change-server-larger", "sku", D2, E2, True),
    ("change-server-larger", "sku", B2, D2, True),
    ("change-server-larger", "sku", D4, D2, False),
    ("change-server-larger", "sku", None, D2, False),
    ("change-storage-larger", "storage.storageSizeGB", 64, 128, True),
    ("change-storage-larger", "storage.storageSizeGB", 128, 64, False),
    ("change-restart", "triggers", {}, {"max_connections": "100"}, True),
    ("change-restart", "triggers", {"max_connections": "100"}, {"max_connections": "200"}, True),
    ("change-restart", "triggers", {"max_connections": "100"}, {}, False),
    ("change-storage-smaller", "storage.storageSizeGB", 128, 64, True),
    ("change-storage-smaller", "storage.storageSizeGB", 64, 128, False),
    ("change-storage-type", "storage.type", "Premium_LRS", "PremiumV2_LRS", True),
    ("change-version-lower", "version", "16", "15", True),
    ("change-version-lower", "version", "9", "16", False),
    ("change-version-higher", "version", "16", "17", True),
    ("change-version-higher", "version", "16", "15", False),
    ("change-network", "network.delegatedSubnetResourceId", None, UNKNOWN_TEXT, True),
    ("change-network", "network.publicNetworkAccess", "Enabled", "Disabled", True),
    ("change-geo-backup", "backup.geoRedundantBackup", "Disabled", "Enabled", True),
    ("change-backup-retention-shorter", "backup.backupRetentionDays", 21, 7, True),
    ("change-backup-retention-shorter", "backup.backupRetentionDays", 7, 21, False),
    ("change-encryption", "dataEncryption.type", None, "AzureKeyVault", True),
    ("change-encryption", "dataEncryption.type", None, "SystemManaged", False),
    ("change-encryption", "dataEncryption", {"type": "AzureKeyVault"}, None, True),
    ("change-storage-type", "storage.type", None, "Premium_LRS", False),
    ("change-geo-backup", "backup", None, {"geoRedundantBackup": "Disabled"}, False),
    ("change-network", "network", None, {"publicNetworkAccess": "Enabled"}, False),
    ("change-cluster-smaller", "cluster", {"clusterSize": 4}, {"clusterSize": 2}, True),
    ("change-cluster-smaller", "cluster", {"clusterSize": 2}, {"clusterSize": 4}, False),
    ("change-cluster-smaller", "cluster", None, {"clusterSize": 2}, True),
    ("change-model", "properties.model.name", "text-embedding-3-small", "text-embedding-3-large", True),
    ("change-model", "properties.model.version", "1", "2", True),
    ("change-model", "sku.capacity", 10, 20, False),
]
FORWARD = (
    "change-version-higher", "change-replica-gone", "change-server-larger", "change-storage-larger", "change-restart",
)  # fmt: skip
GOING = {
    "change-server-gone": SERVER,
    "change-database-gone": DATABASE,
    "change-ai-account-gone": ACCOUNT,
    "change-resource-group-gone": RESOURCE_GROUP,
    "change-deployment-gone": DEPLOYMENT,
}


def inputs(path: str, value: Any) -> dict[str, Any]:
    """Return inputs with one value at a path."""
    inner: Any = value
    for key in reversed(path.split(".")):
        inner = {key: inner}
    return dict(inner)


@pytest.mark.parametrize(("danger", "path", "before", "after", "dangerous"), UPDATES)
def test_an_update_is_dangerous_one_way(danger: str, path: str, before: Any, after: Any, dangerous: bool) -> None:
    one = BY_ID[danger]
    change = Change(kind=one.kind, name="x", fate="update", before=inputs(path, before), after=inputs(path, after))
    text = one.found(change)
    assert bool(text) is dangerous
    assert UNKNOWN_TEXT not in text
    unchanged = Change(kind=one.kind, name="x", fate="update", before=change.before, after=change.before)
    assert not one.found(unchanged)


@pytest.mark.parametrize(("danger", "kind"), GOING.items())
def test_what_holds_data_does_not_go_unseen(danger: str, kind: str) -> None:
    one = BY_ID[danger]
    assert one.kind == kind
    assert one.found(Change(kind=kind, name="x", fate="delete", before={"a": 1})) == "is deleted"
    assert one.found(Change(kind=kind, name="x", fate="update", before={"a": 1}, after={"a": 2})) == ""


def test_a_restart_names_the_parameters_that_wait_for_it() -> None:
    had, wanted = {"max_connections": "100", "wal_level": "logical"}, {"max_connections": "200", "wal_level": "logical"}
    change = Change(
        kind="restart", name="restart", fate="update", before={"triggers": had},
        after={"triggers": {**wanted, "max_wal_senders": "20"}},
    )  # fmt: skip
    said = BY_ID["change-restart"].found(change)
    assert said == "for max_connections: 100 -> 200, max_wal_senders: its default -> 20"


def test_a_replica_that_goes_takes_no_data_with_it() -> None:
    change = Change(kind=SERVER, name="reports", fate="delete", before={"createMode": "Replica"})
    assert BY_ID["change-replica-gone"].found(change) == "is deleted"
    assert BY_ID["change-server-gone"].found(change) == ""


@pytest.mark.parametrize("path", sorted(RESOURCE_TYPES[SERVER].refused))
def test_whatever_azure_refuses_to_change_of_a_server_is_dangerous(path: str) -> None:
    pairs = [("Premium_LRS", "PremiumV2_LRS"), (64, 32), ("16", "15")]
    found = []
    for before, after in pairs:
        change = Change(
            kind=SERVER, name="x", fate="update",
            before=inputs(path, before), after=inputs(path, after),
        )  # fmt: skip
        found += [one.id for one in DANGERS if one.kind == SERVER and one.found(change)]
    assert found, "the provider tries it, and nothing warns"


def test_a_replacement_says_what_it_is_for() -> None:
    change = Change(kind=SERVER, name="server", fate="replace", before={}, after={}, because=("location",))
    assert BY_ID["change-server-gone"].found(change) == "is deleted and made anew, for location"


def test_every_danger_is_tried_and_denied_in_prod_unless_no_data_is_at_stake() -> None:
    assert {row[0] for row in UPDATES} | {*GOING, "change-replica-gone"} == set(BY_ID)
    for danger in DANGERS:
        expected = Level.WARN if danger.id in FORWARD else Level.DENY
        assert danger.levels == (Level.WARN, Level.WARN, expected)
        assert danger.consequence.endswith(".")
        assert danger.source


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::postgres-genai::pgai:server:FlexibleServer${kind}::{name}"


def step(operation: str, kind: str, name: str, old: dict[str, Any], new: dict[str, Any] | None, **more: Any) -> Any:
    """Return an event as the engine's log has it."""
    metadata = {
        "op": operation, "type": kind, "urn": urn(kind, name), "old": {"inputs": old, "custom": True},
        "new": None if new is None else {"inputs": new, "custom": True}, **more,
    }  # fmt: skip
    return {"timestamp": 1, "resourcePreEvent": {"metadata": metadata}}


def events(*taken: Any) -> Events:
    found = Events()
    for one in taken:
        found.take(one)
    return found


def test_the_operations_of_one_replacement_are_one_change_with_its_reason() -> None:
    old, new = {"location": "eastus2", "version": "16"}, {"location": "westus3", "version": "16"}
    reported = events(
        step("delete-replaced", SERVER, "server", old, None),
        step("replace", SERVER, "server", old, new),
        step("create-replacement", SERVER, "server", old, new, keys=["location"]),
        step("same", DATABASE, "database", {}, {}),
    )
    [found] = dangers(reported, "prod", Decisions(), DAY)
    assert found.denied
    assert found.lines()[0] == "  denied: server is deleted and made anew, for location [change-server-gone]"
    assert "All its databases are deleted" in found.lines()[1]


def test_a_replacement_that_the_program_asks_for_says_so_too() -> None:
    detailed = {"charset": {"diffKind": "update-replace"}, "other": {"diffKind": "update"}}
    reported = events(
        step("replace", DATABASE, "database", {"charset": "UTF8"}, {"charset": "C"}, detailedDiff=detailed)
    )
    [found] = dangers(reported, "dev", Decisions(), DAY)
    assert not found.denied
    assert "for charset" in found.finding.text


def test_what_is_protected_is_dangerous_though_the_engine_stops_before_it() -> None:
    server, group = urn(SERVER, "server"), f"urn:pulumi:prod::postgres-genai::{RESOURCE_GROUP}::group"
    said = [
        f'<{{%reset%}}>resource "{server}" cannot be deleted\nbecause it is protected.',
        f'unable to replace resource "{server}"\nas it is currently marked for protection.',
        f'unable to replace resource "{server}" as part of replacing "{group}" as it is currently marked for it.',
    ]
    for message in said:
        found = list(dangers(events({"diagnosticEvent": {"message": message}}), "prod", Decisions(), DAY))
        assert "change-server-gone" in {one.danger.id for one in found}
    assert {one.danger.id for one in found} == {"change-server-gone", "change-resource-group-gone"}
    assert not events({"diagnosticEvent": {"message": "a note about urn:pulumi"}}).protected


def test_an_exemption_lets_a_dangerous_change_pass_once_it_is_meant() -> None:
    exemption = {
        "rule": "change-server-smaller",
        "resource": "server",
        "reason": "The load fell by half.",
        "until": DAY,
    }
    decisions = Decisions.model_validate({"exemptions": [exemption]})
    reported = events(step("update", SERVER, "server", {"sku": D4}, {"sku": D2}))
    [found] = dangers(reported, "prod", decisions, DAY)
    assert not found.denied
    assert found.lines()[-1] == "    The load fell by half."
    assert Preview("prod", 0, reported, "", [found]).denied == []


def test_the_denied_ones_are_said_first() -> None:
    reported = events(
        step("update", SERVER, "server", {"version": "16"}, {"version": "17"}),
        step("delete", DATABASE, "database", {}, None),
    )
    preview = Preview("prod", 0, reported, "", list(dangers(reported, "prod", Decisions(), DAY)))
    assert preview.denied == ["change-database-gone"]
    assert [line[:9] for line in preview.warnings() if line.startswith("  ") and line[2] != " "] == [
        "  denied:",
        "  warning",
    ]
