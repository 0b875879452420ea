"""Runs the real program against a recording monitor: every registration with its parent, its order, its options."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, rpc, settings, stack
from pulumi.runtime.config import set_all_config

ROOT = Path(__file__).resolve().parents[2]
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
DEPLOYER = "33333333-3333-4333-8333-333333333333"
PRINCIPAL = "44444444-4444-4444-8444-444444444444"
WORKER, WORKER_CLIENT = "66666666-6666-4666-8666-666666666666", "77777777-7777-4777-8777-777777777777"
SECRET = rpc._special_secret_sig

BASE: dict[str, Any] = {
    "authentication": {"administrators": [{"name": "team", "objectId": DEPLOYER, "type": "Group"}]},
    "network": {"mode": "public"},
    "firewall": {
        "rules": {"office": {"start": "203.0.113.1", "end": "203.0.113.9"}, "home": {"start": "198.51.100.7"}}
    },
    "extensions": ["vector", "azure_ai"],
    "deployments": {"embedding": {"model": "text-embedding-3-small"}, "answers": {"model": "gpt-5.4"}},
    "jobs": {
        "notes": {"table": "public.invoices", "template": "{notes}", "deployment": "embedding"},
        "items": {"table": "public.line_items", "template": "{description}", "deployment": "embedding"},
    },
}


@dataclass(frozen=True)
class Registration:
    """One resource as the engine was asked for it; secrets are in `inputs` with their signature."""

    token: str
    name: str
    parent: str
    inputs: dict[str, Any]
    depends_on: frozenset[str]
    request: Any

    @property
    def deleted_with(self) -> str:
        return str(self.request.deletedWith).rpartition("::")[2]


@dataclass
class Recording(mocks.MockMonitor):
    """What the program asked for, and what it was answered."""

    preview: bool = False
    updating: bool = (
        False  # whether the server and the accounts are being updated: a preview then has no outputs of them
    )
    exists: bool = True  # whether resources are there already; a preview of a new stack knows no id and no output
    allowlist: str = "PG_TRGM, vector"
    subnet: str | None = None  # subnet that the server which is there lies in, if not the one that is asked for
    statistics: dict[str, Any] | None = None
    there: dict[str, Any] = field(default_factory=dict)  # what functions answer beside the usual; None: it is not there
    registrations: list[Registration] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(Answers(self))

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the protocol's name
        if request.type != "pulumi:pulumi:Stack":
            inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
            self.registrations.append(
                Registration(
                    request.type,
                    request.name,
                    request.parent.rpartition("::")[2],
                    {key: value for key, value in inputs.items() if key != "__provider"},
                    frozenset(urn.rpartition("::")[2] for urn in request.dependencies),
                    request,
                )
            )
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  the protocol's name
        if "pulumi:pulumi:Stack" in request.urn:
            self.exports = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return super().RegisterResourceOutputs(request)

    def one(self, name: str) -> Registration:
        found = [registration for registration in self.registrations if registration.name == name]
        assert len(found) == 1, (name, [registration.name for registration in self.registrations])
        return found[0]

    def of(self, token: str) -> list[Registration]:
        return [registration for registration in self.registrations if registration.token == token]

    def reaches(self, later: str, earlier: str) -> bool:
        """Say whether `later` waits for `earlier`, directly or by way of others."""
        waits = {registration.name: registration.depends_on for registration in self.registrations}
        seen, todo = set(), [later]
        while todo:
            for name in waits.get(todo.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
        return earlier in seen


class Answers(mocks.Mocks):
    """Plays the services: computed outputs as Azure gives them; in a preview only inputs come back."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def call(self, args: mocks.MockCallArgs) -> Any:
        self._recording.calls.append(args.token)
        function = args.token.rpartition(":")[2]
        answer = self._usual(args.args).get(function)
        if function in self._recording.there:
            given = self._recording.there[function]
            answer = given if answer is None or given is None else {**answer, **given}
        if answer is None:
            return {}, [("", 'Status=404 Code="ResourceNotFound" Message="it was not found"')]
        return answer

    def _usual(self, args: Any) -> dict[str, dict[str, Any]]:
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{args.get('resourceGroupName')}/providers"
        account, server = str(args.get("accountName")), str(args.get("serverName"))
        parameters = {
            "shared_preload_libraries": "pg_cron,pg_stat_statements",
            "cron.database_name": "postgres",
        }
        return {
            "getClientConfig": {
                "clientId": "c",
                "objectId": DEPLOYER,
                "subscriptionId": SUBSCRIPTION,
                "tenantId": TENANT,
            },
            "getServer": {
                "id": f"{group}/Microsoft.DBforPostgreSQL/flexibleServers/{server}",
                "fullyQualifiedDomainName": f"{server}.postgres.database.azure.com",
                "location": "East US 2",
                "version": "17",
                "state": "Ready",
                "replicationRole": "Primary",
                "authConfig": {"activeDirectoryAuth": "Enabled"},
                "identity": {"type": "SystemAssigned", "principalId": PRINCIPAL},
                "network": {"delegatedSubnetResourceId": self._subnet()},
            },
            "getAdministratorsMicrosoftEntra": {"objectId": DEPLOYER, "principalName": "team"},
            "getWorkflow": {"identity": {"type": "SystemAssigned", "principalId": PRINCIPAL}},
            "getUserAssignedIdentity": {"principalId": WORKER, "clientId": WORKER_CLIENT},
            "getAccount": {
                "id": f"{group}/Microsoft.CognitiveServices/accounts/{account}",
                "kind": "TextAnalytics" if account.startswith("lang") else "OpenAI",
                "location": "eastus2",
                "properties": {"endpoint": f"https://{account}.example.test/", "customSubDomainName": account},
            },
            "getConfiguration": {
                "value": parameters.get(str(args.get("configurationName")), self._recording.allowlist),
                "isConfigPendingRestart": False,
            },
            "listAccountKeys": {"key1": "first-key-of-the-account", "key2": "second-key-of-the-account"},
        }

    def _subnet(self) -> str | None:
        if self._recording.subnet is not None:
            return self._recording.subnet or None
        servers = self._recording.of("azure-native:dbforpostgresql:Server")
        found = servers[0].inputs["network"].get("delegatedSubnetResourceId") if servers else None
        return None if found is None else str(found)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        kind = args.typ.rpartition(":")[2]
        if not self._recording.exists and kind not in (
            "FlexibleServer",
            "ExistingServer",
            "Network",
            "ServerParameters",
            "AiAccounts",
            "VectorDatabase",
            "Operations",
            "Monitoring",
            "Autostop",
            "KeyVault",
            "WorkerPool",
        ):
            return "", {key: value for key, value in args.inputs.items() if key != "__provider"}
        state = {key: value for key, value in args.inputs.items() if key != "__provider"}
        physical = next((str(state[key]) for key in state if key == f"{kind[:1].lower()}{kind[1:]}Name"), args.name)
        state["name"] = physical
        if kind == "Server":
            physical = state["name"] = state["serverName"]
            if not self._recording.updating:
                state["identity"] = {**state["identity"], "principalId": PRINCIPAL}
        if kind == "Workflow":
            state["identity"] = {**state["identity"], "principalId": PRINCIPAL}
        if kind == "UserAssignedIdentity":
            physical = state["resourceName"]
            state |= {} if self._recording.updating else {"principalId": WORKER, "clientId": WORKER_CLIENT}
        if kind == "Account":
            physical = state["accountName"]
            if not self._recording.updating:
                state["properties"] = {**state["properties"], "endpoint": f"https://{physical}.example.test/"}
        computed: dict[str, dict[str, Any]] = {
            "RandomString": {"result": "abc123"},
            "RandomPassword": {"result": "Ab3dEf6hIj9lMn2pQr5tUv8x"},
            "SourceStatistics": {"tables": self._recording.statistics, "asOf": "2026-01-02T03:04:05+00:00"},
            "Extension": {"installedVersion": "0.8.2"},
            # A list where it is asked for, an object where it is answered.
            "Job": {"identity": {"type": "UserAssigned", "userAssignedIdentities": {}}},
            "VectorizationJob": {"status": {"rows": 7, "embedded": 7}},
        }
        state |= computed.get(kind, {})
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/group"
        return f"{group}/providers/x/{kind}/{physical}", state


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Recording]]:
    """Run `__main__.py` with a config, as `up` or as a preview, and return what it asked for."""
    monkeypatch.chdir(ROOT)
    for name in ("ARM_ENVIRONMENT", "AZURE_ENVIRONMENT", "AZURE_RESOURCE_MANAGER_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    caplog.set_level(logging.INFO)

    def run(config: dict[str, Any] | None = None, **options: Any) -> Recording:
        return contextvars.copy_context().run(run_here, config, options)  # so that no run leaves a root stack behind

    def run_here(config: dict[str, Any] | None, options: dict[str, Any]) -> Recording:
        recording = Recording(**options)
        pulumi.runtime.set_mocks(
            recording.mocks, project="postgres-genai", stack="dev", preview=recording.preview, monitor=recording
        )
        settings.set_root_resource(None)  # set_mocks makes one; the program is to make its own
        values = {**BASE, **(config or {})}
        set_all_config(
            {f"postgres-genai:{k}": v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}, []
        )
        program = partial(runpy.run_path, str(ROOT / "__main__.py"), run_name="__main__")
        loop.run_until_complete(stack.run_in_stack(lambda: program() and None))
        recording.lines = [record.getMessage() for record in caplog.records]
        return recording

    yield run
    loop.close()
    asyncio.set_event_loop(None)
