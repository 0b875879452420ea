"""What every provider answers alike: who it is, and what it can do."""

# ruff: noqa: ARG002
# gRPC gives every method a request and a context, used or not.

from __future__ import annotations

import json
from importlib import metadata

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb

from emulator.providers.failures import Refused, reported
from emulator.providers.sessions import Sessions


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """The part of a provider that has nothing to do with resources."""

    def __init__(self, name: str, package: str, *, accepts_secrets: bool) -> None:
        """Create a provider.

        Args:
            name: As the engine knows it, for example `azure-native`.
            package: The Python package whose version it reports; the engine warns when the two differ.
            accepts_secrets: Whether it marks secrets itself; if not, the engine marks outputs named like secret inputs.
        """
        self.name = name
        self.version = metadata.version(package)
        self.sessions = Sessions()
        self._accepts_secrets = accepts_secrets

    def Handshake(
        self, request: pb.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> pb.ProviderHandshakeResponse:
        """Say what the provider can do."""
        return pb.ProviderHandshakeResponse(
            accept_secrets=self._accepts_secrets, supports_autonaming_configuration=True
        )

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Take note of an engine; there is nothing to ask of it."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Report the version."""
        return plugin_pb2.PluginInfo(version=self.version)

    @reported
    def GetSchema(self, request: pb.GetSchemaRequest, context: grpc.ServicerContext) -> pb.GetSchemaResponse:
        """Report a schema without resources: the SDK packages are what describes them."""
        if request.version:
            raise Refused(f"unsupported schema version {request.version}")
        return pb.GetSchemaResponse(schema=json.dumps({"name": self.name, "version": self.version}))

    def GetMapping(self, request: pb.GetMappingRequest, context: grpc.ServicerContext) -> pb.GetMappingResponse:
        """Report no mapping."""
        return pb.GetMappingResponse()

    def GetMappings(self, request: pb.GetMappingsRequest, context: grpc.ServicerContext) -> pb.GetMappingsResponse:
        """Report no mapping."""
        return pb.GetMappingsResponse()

    def CheckConfig(self, request: pb.CheckRequest, context: grpc.ServicerContext) -> pb.CheckResponse:
        """Accept any configuration: credentials and clouds mean nothing here."""
        return pb.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: pb.DiffRequest, context: grpc.ServicerContext) -> pb.DiffResponse:
        """Replace nothing when the configuration changes."""
        return pb.DiffResponse()

    def Configure(self, request: pb.ConfigureRequest, context: grpc.ServicerContext) -> pb.ConfigureResponse:
        """Begin a session."""
        prefix = f"{self.name}:config:"
        self.sessions.configure(
            context.peer(), {name.removeprefix(prefix): value for name, value in request.variables.items()}
        )
        return pb.ConfigureResponse(
            acceptSecrets=self._accepts_secrets, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """End the waits of the engine that asks."""
        self.sessions.cancel(context.peer())
        return empty_pb2.Empty()
