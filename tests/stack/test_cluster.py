"""An elastic cluster: made with its one database, grown, and never shrunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.conftest import StackAtWork, Workplace

SERVER = {
    "version": "17",
    "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
    "autoGrow": False,
    "cluster": {"nodes": 2},
}


@pytest.fixture(scope="module")
def cluster(place: Workplace, small: dict[str, Any]) -> Iterator[StackAtWork]:
    stack = place.stack("cluster")
    ai = {**small["ai"], "language": {"enabled": False}}
    stack.write(**{**small, "namePrefix": "many", "server": {**small["server"], **SERVER}, "ai": ai})
    stack.up()
    yield stack
    stack.run("destroy")


def test_it_has_its_database_and_stays_as_it_is(cluster: StackAtWork) -> None:
    assert cluster.arm("GET", "")["properties"]["cluster"]["clusterSize"] == 2
    with cluster.connect() as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("contracts",)
    cluster.run("up", "--expect-no-changes")
    cluster.run("refresh", "--expect-no-changes")


def test_it_grows_and_is_refused_to_shrink(cluster: StackAtWork) -> None:
    cluster.edit(lambda values: values["server"].update(cluster={"nodes": 3}))
    assert cluster.up()["changed"] == {"update": 1}
    cluster.edit(lambda values: values["server"].update(cluster={"nodes": 2}))
    assert "cluster" in cluster.run("up", code=None)
    assert cluster.arm("GET", "")["properties"]["cluster"]["clusterSize"] == 3
