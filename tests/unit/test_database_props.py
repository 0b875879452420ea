"""Decoding at the engine's boundary."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.output import Unknown
from pulumi.runtime import rpc

from components.dynamic.access import camel, connection_of, resource_id
from components.dynamic.props import Props, normal, unknown
from database.errors import DatabaseError

CONNECTION = {
    "host": "pg-1.postgres.database.azure.com",
    "database": "d",
    "user": "u",
    "authentication": "entra",
    "tokenScope": "https://ossrdbms-aad.database.usgovcloudapi.net/.default",
}


def test_unknown_is_found_at_any_depth() -> None:
    for value in (Unknown(), rpc.UNKNOWN, [1, {"a": Unknown()}], {"a": [rpc.UNKNOWN]}):
        assert unknown(value)
    for known in (None, "", 0, [], {"a": [1, "x"]}):
        assert not unknown(known)


def test_both_sides_of_the_engine_look_the_same() -> None:
    assert normal({"a": 3.0, "b": None, "c": (1.5, {"d": None})}) == {"a": 3, "c": [1.5, {}]}
    assert normal(True) is True


@pytest.mark.parametrize("value", [2.5, "3", True, 0, 11, None, float("nan")])
def test_a_whole_number_within_limits_or_a_failure(value: Any) -> None:
    props = Props({"n": value})
    assert props.integer("n", minimum=1, maximum=10) == 1
    assert [failure.property for failure in props.failures] == ["n"]


def test_a_float_that_is_whole_is_a_number() -> None:
    props = Props({"n": 3.0})
    value = props.integer("n", minimum=1, maximum=10)
    assert value == 3
    assert isinstance(value, int)
    assert not props.failures


def test_failures_name_the_path_and_are_raised_together() -> None:
    props = Props({"connection": {**CONNECTION, "host": ""}, "flag": "x"})
    connection_of(props)
    props.flag("flag", default=False)
    assert [failure.property for failure in props.failures] == ["connection.host", "flag"]
    with pytest.raises(DatabaseError, match=r"connection\.host: .*; flag: "):
        props.settled()


def test_a_token_is_for_the_cloud_that_the_connection_names_and_for_no_other() -> None:
    props = Props({"connection": {key: value for key, value in CONNECTION.items() if key != "tokenScope"}})
    connection_of(props)
    assert [failure.property for failure in props.failures] == ["connection.tokenScope"]


def test_ids_are_the_same_every_time() -> None:
    spec = connection_of(Props({"connection": CONNECTION}))
    assert spec.token_scope == CONNECTION["tokenScope"]
    assert resource_id(spec, "extension", "vector") == "pg-1/d/extension/vector"
    assert camel("drop_on_delete") == "dropOnDelete"
