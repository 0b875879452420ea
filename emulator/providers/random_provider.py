"""The `random` provider: values that are made once and kept in the engine's state alone.

Follows pulumi-random 4.21 over terraform-provider-random 3.x: every input but null keepers replaces. `bcryptHash` of a
password is left out: it takes seconds in plain Python, and nothing here reads it.
"""

# ruff: noqa: ARG002
# gRPC gives every method a request and a context, used or not.

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from emulator.providers import checks, difference, random_values, shapes, values
from emulator.providers.failures import Refused, reported
from emulator.providers.plugin import Plugin
from emulator.providers.values import UNKNOWN, Secret

_PACKAGE = "pulumi_random"


@dataclass(frozen=True)
class RandomType:
    """One type of random value.

    Attributes:
        name: The SDK class.
        make: Returns a value for inputs with their defaults.
        defaults: Returns the inputs with their defaults.
        mistakes: Returns what is wrong with the inputs besides their types.
        secret: Whether the value is a secret.
        id: The resource's id; None when it is the value itself.
    """

    name: str
    make: Callable[[Mapping[str, Any]], str]
    defaults: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    mistakes: Callable[[Mapping[str, Any]], list[str]] = lambda inputs: []  # noqa: ARG005
    secret: bool = False
    id: str | None = None


def _string(name: str, *, secret: bool, resource_id: str | None) -> RandomType:
    return RandomType(
        name, random_values.make_string, random_values.with_defaults, random_values.mistakes, secret, resource_id
    )


_TYPES = {
    f"random:index/{entry.name[0].lower()}{entry.name[1:]}:{entry.name}": entry
    for entry in (
        _string("RandomPassword", secret=True, resource_id="none"),
        _string("RandomString", secret=False, resource_id=None),
        RandomType("RandomUuid", lambda inputs: str(uuid.uuid4())),  # noqa: ARG005
    )
}


class RandomProvider(Plugin):
    """Random passwords, strings and UUIDs."""

    def __init__(self) -> None:
        super().__init__("random", "pulumi-random", accepts_secrets=True)

    @reported
    def Check(self, request: pb.CheckRequest, context: grpc.ServicerContext) -> pb.CheckResponse:
        """Say everything that is wrong with the inputs."""
        random_type = _type_of(request.urn)
        inputs = values.read(request.news)
        failures = checks.failures(shapes.inputs(_PACKAGE, "", random_type.name), inputs)
        if not failures:
            failures = [pb.CheckFailure(reason=reason) for reason in random_type.mistakes(inputs)]
        return pb.CheckResponse(inputs=request.news, failures=failures)

    @reported
    def Diff(self, request: pb.DiffRequest, context: grpc.ServicerContext) -> pb.DiffResponse:
        """Replace the value when an input changes; one that only spells out the default changes nothing."""
        random_type = _type_of(request.urn)
        old = random_type.defaults(values.read(request.old_inputs))
        new = random_type.defaults(values.read(request.news))
        # The bridge creates the new value first: nothing of the old one is in the way.
        response = difference.compare(old, new, {}, frozenset(old) | frozenset(new))
        response.deleteBeforeReplace = False
        return response

    @reported
    def Create(self, request: pb.CreateRequest, context: grpc.ServicerContext) -> pb.CreateResponse:
        """Make a value; in a preview it is unknown."""
        random_type = _type_of(request.urn)
        settings = random_type.defaults(values.read(request.properties))
        if request.preview:
            return pb.CreateResponse(properties=values.write(settings | {"result": _marked(random_type, UNKNOWN)}))
        made = random_type.make(settings)
        properties = values.write(settings | {"result": _marked(random_type, made)})
        return pb.CreateResponse(id=random_type.id or made, properties=properties)

    @reported
    def Read(self, request: pb.ReadRequest, context: grpc.ServicerContext) -> pb.ReadResponse:
        """Return the state as it is; an import takes the value itself for the id."""
        random_type = _type_of(request.urn)
        if request.properties.fields:
            return pb.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        inputs = {"length": len(request.id)} if random_type.defaults is random_values.with_defaults else {}
        properties = random_type.defaults(inputs) | {"result": _marked(random_type, request.id)}
        return pb.ReadResponse(
            id=random_type.id or request.id, properties=values.write(properties), inputs=values.write(inputs)
        )

    @reported
    def Update(self, request: pb.UpdateRequest, context: grpc.ServicerContext) -> pb.UpdateResponse:
        """Keep the value and take over inputs that need no new one."""
        random_type = _type_of(request.urn)
        kept = _marked(random_type, values.read(request.olds).get("result"))
        return pb.UpdateResponse(
            properties=values.write(random_type.defaults(values.read(request.news)) | {"result": kept})
        )

    def Delete(self, request: pb.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Forget a value, which was in state alone."""
        return empty_pb2.Empty()

    @reported
    def Invoke(self, request: pb.InvokeRequest, context: grpc.ServicerContext) -> pb.InvokeResponse:
        """Refuse: there are no functions."""
        raise Refused(f"Invoke type {request.tok} not found: the random provider has no functions.")


def _marked(random_type: RandomType, value: Any) -> Any:
    return Secret(value) if random_type.secret else value


def _type_of(urn: str) -> RandomType:
    token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    found = _TYPES.get(token)
    if found is None:
        raise Refused(f"Resource type {token} not found: the emulator has {', '.join(sorted(_TYPES))}.")
    return found
