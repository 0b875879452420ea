"""The rules that every dynamic provider keeps: pickled by reference, pure check and diff, unknowns, floats."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pulumi import UNKNOWN
from pulumi.dynamic.dynamic import ResourceProvider, serialize_provider

from components.dynamic.azure_ai_settings import AzureAiSettingsProvider
from components.dynamic.database_principal import DatabasePrincipalProvider
from components.dynamic.extension import ExtensionProvider
from components.dynamic.graph import GraphProvider
from components.dynamic.replica_firewall import ReplicaFirewallProvider
from components.dynamic.restart_if_pending import RestartIfPendingProvider
from components.dynamic.source_statistics import SourceStatisticsProvider
from components.dynamic.sql_migration import SqlMigrationProvider
from components.dynamic.threat_protection import ThreatProtectionProvider
from components.dynamic.vector_schema import VectorSchemaProvider
from components.dynamic.vectorization_job import VectorizationJobProvider
from components.dynamic.worker_schedule import WorkerScheduleProvider
from tests.protocol.plugin import Plugin

ROOT = Path(__file__).resolve().parent.parent.parent
ACCESS: dict[str, Any] = {
    "connection": {
        "host": "pg-1.postgres.database.azure.com",
        "database": "contracts",
        "user": "deployer",
        "authentication": "entra",
        "tokenScope": "https://ossrdbms-aad.database.windows.net/.default",
    }
}
DEPLOYMENT = {
    "name": "embedding",
    "model": "text-embedding-3-small",
    "dimensions": 1536,
    "tokensPerMinute": 350_000,
    "requestsPerMinute": 2100,
    "pricePerMillionTokens": 0.02,
}
GRAPH = {"name": "parties", "vertices": {"Vendor": {"table": "public.vendors"}}, "edges": {}, "readers": []}
JOB = {"name": "line-items", "table": "public.line_items", "template": "{description}", "deployment": "embedding"}

# Provider, valid inputs, the input that says which object it is, and another value of it.
CASES: list[tuple[type[ResourceProvider], dict[str, Any], str, Any]] = [
    (ExtensionProvider, {**ACCESS, "extension": "vector", "dropOnDelete": True}, "extension", "age"),
    (
        AzureAiSettingsProvider,
        {**ACCESS, "openaiEndpoint": "https://a.openai.azure.com", "authentication": "managed-identity"},
        "connection",
        {**ACCESS["connection"], "database": "other"},
    ),
    (SqlMigrationProvider, {**ACCESS, "folder": "sample", "files": [{"name": "a.sql", "sha256": "1"}]}, "folder", "x"),
    (
        VectorSchemaProvider,
        {**ACCESS, "table": "public.t", "column": "v", "type": "vector", "dimensions": 3},
        "column",
        "w",
    ),
    (SourceStatisticsProvider, ACCESS, "connection", {**ACCESS["connection"], "host": "pg-2.example"}),
    (
        VectorizationJobProvider,
        {**ACCESS, "deployment": DEPLOYMENT, "job": JOB, "workers": 4, "timeoutSeconds": 60, "revision": 1},
        "job",
        {**JOB, "table": "public.other"},
    ),
    (
        RestartIfPendingProvider,
        {
            "resourceManager": "https://management.azure.com",
            "resourceManagerScope": "https://management.azure.com/.default",
            "subscriptionId": "s",
            "resourceGroup": "g",
            "serverName": "pg-1",
            "triggers": {"shared_preload_libraries": "age"},
        },
        "serverName",
        "pg-2",
    ),
    (
        ReplicaFirewallProvider,
        {
            "resourceManager": "https://management.azure.com",
            "resourceManagerScope": "https://management.azure.com/.default",
            "subscriptionId": "s",
            "resourceGroup": "g",
            "serverName": "pg-1",
            "rules": {"office": {"start": "203.0.113.1", "end": "203.0.113.9"}},
        },
        "serverName",
        "pg-2",
    ),
    (
        ThreatProtectionProvider,
        {
            "resourceManager": "https://management.azure.com",
            "resourceManagerScope": "https://management.azure.com/.default",
            "subscriptionId": "s",
            "resourceGroup": "g",
            "serverName": "pg-1",
        },
        "serverName",
        "pg-2",
    ),
    (WorkerScheduleProvider, {**ACCESS, "parallel": 4, "cronDatabase": "postgres"}, "cronDatabase", "contracts"),
    (
        DatabasePrincipalProvider,
        {**ACCESS, "principal": "workers", "objectId": "o", "roles": ["vectorize_worker"], "functions": []},
        "principal",
        "others",
    ),
    (
        GraphProvider,
        {**ACCESS, "graph": GRAPH, "workers": 2, "timeoutSeconds": 60, "revision": 1, "removeOnDelete": False},
        "graph",
        {**GRAPH, "name": "other"},
    ),
]
NAMES = [case[0].__name__ for case in CASES]
every = pytest.mark.parametrize(("provider", "inputs", "identity", "other"), CASES, ids=NAMES)


@every
def test_a_provider_is_pickled_as_a_reference(
    provider: type[ResourceProvider], inputs: Any, identity: str, other: Any
) -> None:
    """Frozen: these bytes are in the state of every stack, so a class that moves leaves an alias behind."""
    module, name = provider.__module__.encode(), provider.__name__.encode()
    body = b"\x8c" + bytes([len(module)]) + module + b"\x94\x8c" + bytes([len(name)]) + name + b"\x94\x93\x94)\x81\x94."
    golden = b"\x80\x04\x95" + len(body).to_bytes(8, "little") + body
    assert base64.b64decode(serialize_provider(provider())) == golden
    assert not provider.serialize_as_secret_always
    assert vars(provider()) == {}


def test_the_paths_of_the_providers_are_frozen() -> None:
    assert sorted(f"{case[0].__module__}.{case[0].__qualname__}" for case in CASES) == [
        "components.dynamic.azure_ai_settings.AzureAiSettingsProvider",
        "components.dynamic.database_principal.DatabasePrincipalProvider",
        "components.dynamic.extension.ExtensionProvider",
        "components.dynamic.graph.GraphProvider",
        "components.dynamic.replica_firewall.ReplicaFirewallProvider",
        "components.dynamic.restart_if_pending.RestartIfPendingProvider",
        "components.dynamic.source_statistics.SourceStatisticsProvider",
        "components.dynamic.sql_migration.SqlMigrationProvider",
        "components.dynamic.threat_protection.ThreatProtectionProvider",
        "components.dynamic.vector_schema.VectorSchemaProvider",
        "components.dynamic.vectorization_job.VectorizationJobProvider",
        "components.dynamic.worker_schedule.WorkerScheduleProvider",
    ]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any socket or token is a failure."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("check and diff must not open a connection")

    for target in ("socket.socket", "socket.create_connection", "psycopg.connect", "database.tokens.token"):
        monkeypatch.setattr(target, refuse)


@every
def test_check_and_diff_open_no_socket(
    offline: None, provider: type[ResourceProvider], inputs: dict[str, Any], identity: str, other: Any
) -> None:
    checked = provider().check({}, dict(inputs))
    assert not checked.failures
    assert checked.inputs == inputs
    assert provider().diff("id", dict(inputs), dict(inputs)).changes is False
    assert provider().check({}, {}).failures


@every
def test_another_identity_replaces_and_deletes_first(
    plugin: Plugin, provider: type[ResourceProvider], inputs: dict[str, Any], identity: str, other: Any
) -> None:
    assert not plugin.diff(provider, inputs, inputs).any
    for value in (other, UNKNOWN):
        diff = plugin.diff(provider, inputs, {**inputs, identity: value})
        assert diff.replaces
        assert diff.delete_before_replace


@every
def test_unknown_inputs_pass_the_check(
    plugin: Plugin, provider: type[ResourceProvider], inputs: dict[str, Any], identity: str, other: Any
) -> None:
    for name in inputs:
        checked, failures = plugin.check(provider, {**inputs, name: UNKNOWN})
        assert not failures
        assert isinstance(checked[name], type(UNKNOWN))
    if "connection" in inputs:
        nested = {**inputs, "connection": {**ACCESS["connection"], "host": UNKNOWN}}
        checked, failures = plugin.check(provider, nested)
        assert not failures
        assert isinstance(checked["connection"]["host"], type(UNKNOWN))


@every
def test_what_is_not_an_input_is_dropped_and_none_is_the_same_as_missing(
    plugin: Plugin, provider: type[ResourceProvider], inputs: dict[str, Any], identity: str, other: Any
) -> None:
    checked, failures = plugin.check(provider, {**inputs, "surprise": 1, "password": None})
    assert not failures
    assert set(checked) == set(inputs)
    assert not plugin.diff(provider, inputs, {**inputs, "password": None}).any


def test_mistakes_are_reported_together_and_never_show_values(plugin: Plugin) -> None:
    news = {
        "connection": {"host": "h", "database": "d", "user": "u", "authentication": "secret-typo"},
        "table": "",
        "column": "c",
        "type": "vektor",
        "dimensions": 2.5,
        "dropOnDelete": "yes",
    }
    _, failures = plugin.check(VectorSchemaProvider, news)
    assert set(failures) == {"connection.authentication", "table", "type", "dimensions", "dropOnDelete"}
    assert "secret-typo" not in str(failures)
    assert failures["type"] == "is not allowed; allowed: one of vector, halfvec"
    with_password = {**ACCESS["connection"], "authentication": "password"}
    _, failures = plugin.check(ExtensionProvider, {"connection": with_password, "extension": "vector"})
    assert set(failures) == {"password"}


def test_numbers_arrive_as_floats(plugin: Plugin) -> None:
    outs = {**CASES[5][1], "workers": 4.0, "revision": 1.0}
    assert not plugin.diff(VectorizationJobProvider, outs, CASES[5][1]).any


def test_a_job_says_which_changes_matter(plugin: Plugin) -> None:
    inputs = CASES[5][1]
    shown = {**inputs, "estimate": {"rows": 7}, "workers": 8, "timeoutSeconds": 7200}
    assert not plugin.diff(VectorizationJobProvider, inputs, shown).any
    for job in ({**JOB, "template": "{unit}"}, {**JOB, "dimensions": 256}):
        diff = plugin.diff(VectorizationJobProvider, inputs, {**inputs, "job": job})
        assert diff.changes == "DIFF_UNKNOWN"  # the engine compares, and shows job.template or job.dimensions
        assert not diff.replaces
    assert plugin.diff(VectorizationJobProvider, inputs, {**inputs, "revision": 2}).any
    for found in ({"unfinished": True}, {"status": {"state": "stopped"}}, {"damage": ["no trigger"]}):
        assert plugin.diff(VectorizationJobProvider, {**inputs, **found}, inputs).changes == "DIFF_SOME"


def test_a_preview_loads_no_slow_library() -> None:
    modules = ", ".join(case[0].__module__ for case in CASES)
    code = f"import sys, {modules}; print([m for m in sys.modules if m.startswith('azure.')])"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_database_imports_no_pulumi_and_no_component() -> None:
    for path in (ROOT / "database").glob("*.py"):
        text = path.read_text()
        assert "import pulumi" not in text
        assert "from pulumi" not in text
        assert "components" not in text
