"""Starts the providers: the engine attaches to them through PULUMI_DEBUG_PROVIDERS instead of starting plugins."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from emulator.providers.arm_client import ArmClient
from emulator.providers.azure_native import AzureNative
from emulator.providers.invokes import Invoker
from emulator.providers.plugin import Plugin
from emulator.providers.random_provider import RandomProvider
from emulator.state import SUBSCRIPTION_ID

# An operation occupies a thread until it ends; the engine runs at most a few dozen at once.
_THREADS = 64
_OPTIONS = (
    # A second emulator must find the port taken instead of sharing it.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class PortTaken(Exception):
    """A port on which a provider should listen and cannot; the message says which."""


@dataclass(frozen=True)
class RunningProviders:
    """Providers that answer.

    Attributes:
        ports: Those of `azure-native` and of `random`, on 127.0.0.1.
    """

    ports: tuple[int, int]
    _servers: tuple[grpc.Server, grpc.Server]

    @property
    def debug_providers(self) -> str:
        """The value of PULUMI_DEBUG_PROVIDERS."""
        return f"azure-native:{self.ports[0]},random:{self.ports[1]}"

    def stop(self, grace_seconds: float = 1.0) -> None:
        """Stop listening and wait until requests in progress have ended, at most for the grace period."""
        for event in [server.stop(grace_seconds) for server in self._servers]:
            event.wait()


def start(
    arm_endpoint: str,
    ca_file: Path,
    token: Callable[[], str],
    ports: tuple[int, int] = (0, 0),
    subscription_id: str = SUBSCRIPTION_ID,
) -> RunningProviders:
    """Start both providers.

    Args:
        arm_endpoint: Resource Manager, for example `https://127.0.0.1:8443`.
        ca_file: The certificate authority of its certificate.
        token: Returns a token for Resource Manager that names the signed-in principal.
        ports: Where to listen; 0 takes a free one.
        subscription_id: The subscription of engines whose configuration names none.

    Raises:
        PortTaken: A port is in use.
    """
    arm = ArmClient(arm_endpoint, ca_file, token)
    azure = _serve(AzureNative(arm, Invoker(arm, token), subscription_id), ports[0])
    try:
        random = _serve(RandomProvider(), ports[1])
    except PortTaken:
        azure[0].stop(None)
        raise
    return RunningProviders((azure[1], random[1]), (azure[0], random[0]))


def _serve(plugin: Plugin, port: int) -> tuple[grpc.Server, int]:
    workers = futures.ThreadPoolExecutor(_THREADS, thread_name_prefix=f"provider-{plugin.name}")
    server = grpc.server(workers, options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError:
        raise PortTaken(f"The provider {plugin.name} cannot listen on 127.0.0.1:{port}: the port is in use.") from None
    server.start()
    return server, bound
