"""Drives the providers as the engine does: over gRPC, with its own messages; and what the tests ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from emulator.providers import server, values
from emulator.state import SUBSCRIPTION_ID
from tests.emulator.provider_arm import TOKEN, TinyArm, serving

EMPTY = empty_pb2.Empty()
Props = dict[str, Any]
GROUP = "azure-native:resources:ResourceGroup"
SERVER = "azure-native:dbforpostgresql:Server"
CONFIGURATION = "azure-native:dbforpostgresql:Configuration"
DATABASE = "azure-native:dbforpostgresql:Database"
ACCOUNT = "azure-native:cognitiveservices:Account"
ROLE = "azure-native:authorization:RoleAssignment"
PASSWORD = "correct-Horse7"
SERVER_ID = (
    f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/contracts/providers/Microsoft.DBforPostgreSQL/flexibleServers/db1"
)


class Client:
    """One engine's connection to one provider."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=(("grpc.use_local_subchannel_pool", 1),))
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)

    def configure(self, **variables: str) -> pb.ConfigureResponse:
        """Configure azure-native."""
        prefixed = {f"azure-native:config:{name}": value for name, value in variables.items()}
        return self.stub.Configure(pb.ConfigureRequest(variables=prefixed))

    def check(self, token: str, news: Mapping[str, Any], olds: Mapping[str, Any] | None = None, **more: Any) -> Checked:
        """Check inputs of a resource named `thing`."""
        request = pb.CheckRequest(urn=urn(token), news=values.write(news), olds=values.write(olds or {}), **more)
        response = self.stub.Check(request)
        return values.read(response.inputs), sorted(failure.reason for failure in response.failures)

    def inputs(self, token: str, news: Mapping[str, Any]) -> Props:
        """Return checked inputs; nothing may be wrong with them."""
        inputs, failures = self.check(token, news)
        assert not failures
        return inputs

    def create(self, token: str, inputs: Mapping[str, Any], **more: Any) -> tuple[str, Props]:
        """Create a resource."""
        request = pb.CreateRequest(urn=urn(token), properties=values.write(inputs), **more)
        response = self.stub.Create(request)
        return response.id, values.read(response.properties)

    def update(
        self,
        token: str,
        resource_id: str,
        state: Mapping[str, Any],
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        **more: Any,
    ) -> Props:
        """Update a resource."""
        parts = {"olds": values.write(state), "old_inputs": values.write(old), "news": values.write(new)}
        return values.read(
            self.stub.Update(pb.UpdateRequest(id=resource_id, urn=urn(token), **parts, **more)).properties
        )

    def diff(
        self, token: str, old: Mapping[str, Any], new: Mapping[str, Any], state: Mapping[str, Any] | None = None
    ) -> pb.DiffResponse:
        """Compare inputs."""
        parts = {"olds": values.write(state or {}), "old_inputs": values.write(old), "news": values.write(new)}
        return self.stub.Diff(pb.DiffRequest(id="x", urn=urn(token), **parts))

    def read(
        self,
        token: str,
        resource_id: str,
        inputs: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> tuple[str, Props, Props]:
        """Refresh a resource, or import it when no inputs are given."""
        known = {} if inputs is None else {"inputs": values.write(inputs), "properties": values.write(state or {})}
        response = self.stub.Read(pb.ReadRequest(id=resource_id, urn=urn(token), **known))
        return response.id, values.read(response.inputs), values.read(response.properties)

    def delete(self, token: str, resource_id: str, inputs: Mapping[str, Any] | None = None) -> None:
        """Delete a resource."""
        self.stub.Delete(pb.DeleteRequest(id=resource_id, urn=urn(token), old_inputs=values.write(inputs or {})))

    def invoke(self, token: str, arguments: Mapping[str, Any] | None = None) -> Props:
        """Call a function."""
        response = self.stub.Invoke(pb.InvokeRequest(tok=token, args=values.write(arguments or {})))
        assert not response.failures, response.failures
        return values.read(getattr(response, "return"))


Checked = tuple[Props, list[str]]


def urn(token: str) -> str:
    """Return the URN of a resource named `thing`, below a component."""
    return f"urn:pulumi:dev::project::my:component:Type${token}::thing"


@contextmanager
def refused() -> Iterator[list[str]]:
    """Expect a failure; its text is in the list afterwards."""
    texts: list[str] = []
    with pytest.raises(grpc.RpcError) as caught:
        yield texts
    texts.append(caught.value.details())


@contextmanager
def incomplete() -> Iterator[list[pb.ErrorResourceInitFailed]]:
    """Expect a resource that was made but not to its end; what the engine keeps is in the list afterwards."""
    kept: list[pb.ErrorResourceInitFailed] = []
    with pytest.raises(grpc.RpcError) as caught:
        yield kept
    trailers = {item.key: item.value for item in caught.value.trailing_metadata()}
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    detail = pb.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    kept.append(detail)


@contextmanager
def running(arm: TinyArm, token: str = TOKEN) -> Iterator[server.RunningProviders]:
    """Run both providers until the block ends."""
    providers = server.start(arm.endpoint, arm.ca_file, lambda: token)
    try:
        yield providers
    finally:
        providers.stop()


def server_inputs(**more: Any) -> dict[str, Any]:
    return {
        "resourceGroupName": "contracts",
        "serverName": "db1",
        "location": "East US 2",
        "availabilityZone": "",
        "sku": {"name": "Standard_B2s", "tier": "Burstable"},
        "storage": {"storageSizeGB": 32},
        "administratorLogin": "boss",
        "administratorLoginPassword": PASSWORD,
        **more,
    }


def configuration_inputs(name: str, value: str) -> dict[str, Any]:
    parameter = {"configurationName": name, "source": "user-override", "value": value}
    return {"resourceGroupName": "contracts", "serverName": "db1", **parameter}


def made(client: Client, token: str, news: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Create a resource; return its id, its inputs and its outputs."""
    inputs = client.inputs(token, news)
    resource_id, outputs = client.create(token, inputs)
    return resource_id, inputs, outputs


@contextmanager
def azure(folder: Path) -> Iterator[tuple[TinyArm, int]]:
    """Run azure-native before a tiny Resource Manager; give that and the provider's port."""
    with serving(folder) as arm, running(arm) as providers:
        yield arm, providers.ports[0]
