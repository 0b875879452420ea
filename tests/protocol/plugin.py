"""Drives `python -m pulumi.dynamic` over gRPC, as the engine does: real pickling, real coercion, real errors."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import struct_pb2
from pulumi.dynamic.dynamic import ResourceProvider, serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Diff:
    """An answer to Diff."""

    changes: str  # DIFF_NONE, DIFF_SOME, DIFF_UNKNOWN: the engine compares the inputs itself
    replaces: list[str]
    delete_before_replace: bool

    @property
    def any(self) -> bool:
        """Whether the engine would do something, given that it finds a difference of inputs where it is asked to."""
        return self.changes != "DIFF_NONE"


class PluginError(Exception):
    """What the engine would show."""


class Plugin:
    """One provider process."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._stderr: list[str] = []
        self._reader = threading.Thread(target=self._collect)
        self._reader.start()
        port = int(self._process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def _collect(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._stderr.append(line.decode())

    def stop(self) -> str:
        """End the process and return all that it printed on stderr."""
        self._channel.close()
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert self._process.stderr is not None
        self._process.stderr.close()
        return "".join(self._stderr)

    def check(self, provider: type[ResourceProvider], news: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the inputs, and property -> reason of each failure."""
        answer = self._call(
            "Check", provider_pb2.CheckRequest(olds=_struct(provider, {}), news=_struct(provider, news))
        )
        failures = {failure.property: failure.reason for failure in answer.failures}
        return _dict(answer.inputs), failures

    def diff(self, provider: type[ResourceProvider], olds: dict[str, Any], news: dict[str, Any]) -> Diff:
        """Compare outputs with inputs."""
        request = provider_pb2.DiffRequest(id="x", olds=_struct(provider, olds), news=_struct(provider, news))
        answer = self._call("Diff", request)
        changes = provider_pb2.DiffResponse.DiffChanges.Name(answer.changes)
        return Diff(changes, list(answer.replaces), answer.deleteBeforeReplace)

    def create(self, provider: type[ResourceProvider], news: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the id and the outputs."""
        answer = self._call("Create", provider_pb2.CreateRequest(properties=_struct(provider, news)))
        return answer.id, _dict(answer.properties)

    def update(self, provider: type[ResourceProvider], olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs."""
        request = provider_pb2.UpdateRequest(id="x", olds=_struct(provider, olds), news=_struct(provider, news))
        return _dict(self._call("Update", request).properties)

    def read(
        self, provider: type[ResourceProvider], id_: str, outs: dict[str, Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Return id (empty: gone), outputs, inputs."""
        answer = self._call("Read", provider_pb2.ReadRequest(id=id_, properties=_struct(provider, outs)))
        return answer.id, _dict(answer.properties), _dict(answer.inputs)

    def delete(self, provider: type[ResourceProvider], outs: dict[str, Any]) -> None:
        """Delete."""
        self._call("Delete", provider_pb2.DeleteRequest(id="x", properties=_struct(provider, outs)))

    def _call(self, name: str, request: Any) -> Any:
        try:
            return getattr(self._stub, name)(request, timeout=120)
        except grpc.RpcError as error:
            message = error.details()
        raise PluginError(message)


def _struct(provider: type[ResourceProvider], values: dict[str, Any]) -> struct_pb2.Struct:
    async def serialize() -> struct_pb2.Struct:
        return await rpc.serialize_properties({**values, "__provider": serialize_provider(provider())}, {})

    return asyncio.run(serialize())


def _dict(struct: struct_pb2.Struct) -> dict[str, Any]:
    values: dict[str, Any] = rpc.deserialize_properties(struct, keep_unknowns=True)
    return {key: value for key, value in values.items() if key != "__provider"}
