"""A server with everything that it can be asked for: it comes up, stays as it is, and changes in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

SERVER = {
    "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
    "zone": "2",
    "highAvailability": {"mode": "ZoneRedundant", "standbyZone": "3"},
    "geoRedundantBackup": True,
    "maintenance": {"day": "Sunday", "hour": 2, "minute": 30},
    "minimumTls": "TLSv1.3",
    "pgbouncer": {"defaultPoolSize": 100},
}


@pytest.fixture(scope="module")
def options(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("options")
    server = {**small["server"], **SERVER}
    ai = {**small["ai"], "language": {"enabled": False}}
    stack.write(**{**small, "namePrefix": "opt", "server": server, "ai": ai})
    stack.up()
    yield stack
    stack.run("destroy")


def test_azure_has_what_was_asked_for_and_fills_in_the_rest(options: StackAtWork) -> None:
    server = options.arm("GET", "")["properties"]
    assert server["availabilityZone"] == "2"
    assert server["highAvailability"]["standbyAvailabilityZone"] == "3"
    assert server["backup"]["geoRedundantBackup"] == "Enabled"
    assert (server["maintenanceWindow"]["startHour"], server["maintenanceWindow"]["startMinute"]) == (2, 30)
    assert (server["storage"]["tier"], server["storage"]["iops"]) == ("P4", 120)
    pool = options.arm("GET", "/configurations/pgbouncer.default_pool_size")["properties"]
    assert (pool["value"], pool["source"]) == ("100", "user-override")


def test_what_azure_filled_in_is_no_drift(options: StackAtWork) -> None:
    options.run("up", "--expect-no-changes")
    options.run("refresh", "--expect-no-changes")
    options.run("up", "--expect-no-changes")


def test_the_disk_grows_and_what_can_be_switched_off_is(options: StackAtWork) -> None:
    def change(values: dict[str, Any]) -> None:
        values["server"] |= {"storageGb": 64, "storage": {"tier": "P15"}, "highAvailability": {"mode": "Disabled"}}
        del values["server"]["maintenance"], values["server"]["pgbouncer"], values["server"]["minimumTls"]

    options.edit(change)
    assert options.up()["changed"] == {"update": 1, "delete": 3}
    assert options.arm("GET", "/configurations/ssl_min_protocol_version")["properties"]["value"] == "TLSv1.2"
    assert options.arm("GET", "/configurations/pgbouncer.enabled")["properties"]["value"] == "false"
    server = options.arm("GET", "")["properties"]
    assert (server["storage"]["storageSizeGB"], server["storage"]["tier"]) == (64, "P15")
    assert server["highAvailability"]["mode"] == "Disabled"
    assert server["maintenanceWindow"]["customWindow"] == "Disabled"
    options.run("refresh", "--expect-no-changes")


def test_another_zone_is_no_reason_to_replace_the_server(options: StackAtWork) -> None:
    options.edit(lambda values: values["server"].update(zone="1"))
    options.run("up", "--expect-no-changes")


def test_what_is_chosen_once_is_refused_and_nothing_is_lost(options: StackAtWork) -> None:
    before = options.file.read_bytes()
    options.edit(lambda values: values["server"].update(geoRedundantBackup=False))
    assert "geoRedundantBackup" in options.run("up", code=None)
    options.file.write_bytes(before)
    options.run("refresh")
    options.run("up", "--expect-no-changes")
