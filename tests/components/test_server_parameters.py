"""Parameters: the allowlist is a union, the preload keeps its defaults, defaults are not created."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.server_parameters import merge_allowlist, plan_parameters
from components.settings import StackSettings

MINIMAL: dict[str, Any] = {
    "authentication": {"administrators": [{"name": "team", "objectId": "33333333-3333-4333-8333-333333333333"}]},
    "network": {"mode": "public"},
    "firewall": {"rules": {"office": {"start": "203.0.113.1"}}},
}


def plan(**config: Any) -> Any:
    return plan_parameters(StackSettings.parse({**MINIMAL, **config}))


@pytest.mark.parametrize(
    ("present", "wanted", "merged"),
    [
        (None, ("vector",), "vector"),
        ("", ("age", "azure_ai"), "age,azure_ai"),
        ("VECTOR, azure_ai", ("age",), "age,azure_ai,vector"),
        ("vector,azure_ai,age", ("age", "vector"), "age,azure_ai,vector"),
    ],
)
def test_the_allowlist_is_a_sorted_lower_case_union(present: str | None, wanted: tuple[str, ...], merged: str) -> None:
    assert merge_allowlist(present, wanted) == merged


def test_the_program_adds_to_what_the_server_allows(deploy: Callable[..., Any]) -> None:
    recording = deploy(allowlist="PG_TRGM, vector")
    configuration = recording.one("server-parameters-azure.extensions")
    assert configuration.inputs["value"] == "azure_ai,pg_trgm,vector"
    assert configuration.inputs["source"] == "user-override"


@pytest.mark.parametrize(
    ("version", "extensions", "preload"),
    [
        ("16", ["vector", "azure_ai"], None),
        ("16", ["vector", "azure_ai", "age"], "age,pg_cron,pg_stat_statements"),
        ("17", ["vector", "azure_ai", "age"], "age,pg_stat_statements"),
        ("17", ["vector", "azure_ai", "pg_cron"], "pg_cron,pg_stat_statements"),
        ("16", ["vector", "pg_stat_statements"], None),
        ("16", ["vector", "pgaudit", "timescaledb"], "pg_cron,pg_stat_statements,pgaudit,timescaledb"),
    ],
)
def test_the_preload_keeps_the_defaults(version: str, extensions: list[str], preload: str | None) -> None:
    planned = plan(server={"version": version}, extensions=extensions)
    assert planned.static.get("shared_preload_libraries") == preload
    assert "shared_preload_libraries" not in planned.dynamic


def test_a_preload_of_ones_own_is_merged_too() -> None:
    planned = plan(extensions=["vector"], parameters={"shared_preload_libraries": "auto_explain"})
    assert planned.static["shared_preload_libraries"] == "auto_explain,pg_cron,pg_stat_statements"


def test_an_allowlist_of_ones_own_is_merged_too() -> None:
    planned = plan(extensions=["vector"], parameters={"azure.extensions": "hstore, Pg_Trgm"})
    assert planned.allowlist == ("hstore", "pg_trgm", "vector")


def test_pg_cron_is_told_its_database() -> None:
    assert plan(extensions=["vector", "pg_cron"]).static["cron.database_name"] == "contracts"
    assert "cron.database_name" not in plan(extensions=["vector"]).static


def test_defaults_are_dropped_and_the_rest_is_spelt_as_azure_does() -> None:
    planned = plan(
        extensions=["vector"],
        parameters={
            "work_mem": 4096,
            "log_checkpoints": True,
            "statement_timeout": "60000",
            "ssl_min_protocol_version": "tlsv1.3",
        },
    )
    assert planned.dynamic == {"statement_timeout": "60000", "ssl_min_protocol_version": "TLSv1.3"}


def test_a_parameter_outside_the_catalogue_is_passed_on_last() -> None:
    planned = plan(extensions=["vector"], parameters={"metrics.collector_database_activity": "on", "work_mem": 8192})
    assert planned.dynamic == {"work_mem": "8192"}
    assert planned.static == {"metrics.collector_database_activity": "on"}


def test_the_restart_hears_of_the_static_ones_only(deploy: Callable[..., Any]) -> None:
    recording = deploy({"parameters": {"work_mem": 8192, "max_connections": 100}})
    restart = recording.one("server-parameters-restart")
    assert restart.inputs["triggers"] == {"max_connections": "100"}
    assert restart.inputs["resourceManager"] == "https://management.azure.com"
