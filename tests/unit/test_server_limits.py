"""What sizes can take, and the thresholds that are made of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.catalogue import server_limits
from components.catalogue.alerts import account_alerts, server_alerts
from components.catalogue.server_sizes import STORAGE_GB

GUIDE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")


# Rows of the tables in "Compute options" and "Limits".
@pytest.mark.parametrize(
    ("sku", "connections", "iops"),
    [
        ("Standard_B1ms", 50, 640),
        ("Standard_B2s", 429, 1280),
        ("Standard_B2ms", 859, 1920),
        ("Standard_B12ms", 5000, 4320),
        ("Standard_D2s_v3", 859, 3200),
        ("Standard_D4ds_v5", 1718, 6400),
        ("Standard_D64ads_v5", 5000, 80_000),
        ("Standard_E2ds_v5", 1718, 3200),
        ("Standard_E4ds_v4", 3437, 6400),
        ("Standard_E20ads_v6", 5000, 36_000),
        ("Standard_D4ds_v6", 1718, 8332),
    ],
)
def test_a_size_has_its_connections_and_operations(sku: str, connections: int, iops: int) -> None:
    assert server_limits.max_connections(sku) == connections
    assert server_limits.iops(sku, 32767, "P80") == min(iops, 20_000)


def test_the_smaller_of_machine_and_disk_counts() -> None:
    assert server_limits.iops("Standard_D4ds_v5", 128) == 500
    assert server_limits.iops("Standard_D4ds_v5", 128, "P50") == 6400
    assert server_limits.iops("Standard_B1ms", 32767) == 640


def test_every_size_of_a_disk_has_a_tier() -> None:
    assert set(server_limits.DEFAULT_TIERS) == set(STORAGE_GB)
    assert set(server_limits.DEFAULT_TIERS.values()) == set(server_limits.TIER_IOPS)


def test_an_unknown_size_is_named() -> None:
    with pytest.raises(ValueError, match="'Standard_F4s' is no size"):
        server_limits.max_connections("Standard_F4s")


def thresholds(*arguments: object, **options: object) -> dict[str, float]:
    return {alert.name: alert.threshold for alert in server_alerts(*arguments, **options)}  # type: ignore[arg-type]


def test_thresholds_follow_the_size() -> None:
    small, large = thresholds("Standard_B1ms", 32), thresholds("Standard_E8ds_v5", 1024)
    assert (small["connections"], large["connections"]) == (28, 3988)  # 80 % of 35 and of 4,985
    assert (small["iops"], large["iops"]) == (108, 4500)
    assert small["cpu"] == large["cpu"] == 90
    assert thresholds("Standard_B1ms", 32, connections=115)["connections"] == 80


def test_a_full_disk_is_told_before_the_server_turns_read_only() -> None:
    for storage in STORAGE_GB:
        free_gib = thresholds("Standard_D2ds_v5", storage)["storage-free"] / 1024**3
        assert free_gib > max(5, storage * 0.05)
        assert free_gib < storage * 0.2


def test_refused_calls_are_told_from_a_share_of_the_quota_on() -> None:
    by_name = {alert.name: alert for alert in account_alerts(180, 10_000)}
    assert by_name["blocked"].threshold == 45
    assert by_name["errors"].threshold > by_name["blocked"].threshold
    assert by_name["latency"].threshold == 10_000
    assert {alert.name: alert for alert in account_alerts(0, 1)}["blocked"].threshold == 5


def test_the_guide_names_every_alert() -> None:
    for alert in (*server_alerts("Standard_B2s", 32), *account_alerts(60, 1)):
        assert re.search(rf"\| `\w+-{alert.name}` \| `{alert.metric}` \|", GUIDE), alert.name
