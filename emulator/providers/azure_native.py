"""The `azure-native` provider: the engine's requests become requests to Resource Manager.

Follows pulumi-azure-native provider/pkg/provider/provider.go method by method.
"""

# ruff: noqa: ARG002
# gRPC gives every method a request and a context, used or not.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from emulator.arm import body as bodies
from emulator.providers import checks, difference, invokes, naming, translation, values
from emulator.providers.arm_client import AlreadyExists, ArmClient, ArmError, ArmUnavailable, Interrupted, Patience
from emulator.providers.failures import Incomplete, Refused, reported
from emulator.providers.plugin import Plugin
from emulator.providers.resource_types import RESOURCE_TYPES, ResourceType
from emulator.providers.sessions import Session
from emulator.providers.values import UNKNOWN

_GROUP_API_VERSION = "2020-10-01"
_STABLE_OUTPUTS = ("name", "location")
_REQUEST_FAILURES = (ArmError, ArmUnavailable, AlreadyExists, Interrupted, translation.MissingParameter)


class AzureNative(Plugin):
    """Resources and functions of Azure."""

    def __init__(self, arm: ArmClient, invoker: invokes.Invoker, subscription_id: str) -> None:
        """Create the provider.

        Args:
            arm: Resource Manager.
            invoker: Answers functions.
            subscription_id: Used where the configuration names none.
        """
        super().__init__("azure-native", "pulumi-azure-native", accepts_secrets=False)
        self._arm = arm
        self._invoker = invoker
        self._subscription_id = subscription_id

    @reported
    def Check(self, request: pb.CheckRequest, context: grpc.ServicerContext) -> pb.CheckResponse:
        """Fill what the program leaves to the provider, and say everything that is wrong."""
        resource_type = _type_of(request.urn)
        olds, news = values.read(request.olds), values.read(request.news)
        name = resource_type.path_parameters[-1]
        if name not in news and (chosen := naming.name_for(resource_type, request, olds)):
            news[name] = chosen.text
            if chosen.random:
                news[naming.CREATE_BEFORE_DELETE] = True
        if "location" not in news and "location" in resource_type.inputs:
            location = self._default_location(self.sessions.of(context.peer()), olds, news)
            news |= {"location": location} if location else {}
        described = resource_type.inputs
        given = {key: value for key, value in news.items() if key != "azureApiVersion" or key in described}
        news.setdefault("azureApiVersion", resource_type.api_version)
        required = resource_type.required | frozenset(resource_type.path_parameters)
        failures = checks.failures(described, given, resource_type.names, required)
        return pb.CheckResponse(inputs=values.write(news), failures=failures)

    @reported
    def Diff(self, request: pb.DiffRequest, context: grpc.ServicerContext) -> pb.DiffResponse:
        """Say what a change does."""
        resource_type = _type_of(request.urn)
        return difference.compare(
            values.read(request.old_inputs),
            values.read(request.news),
            values.read(request.olds),
            frozenset(resource_type.force_new) | frozenset(resource_type.path_parameters),
        )

    @reported
    def Create(self, request: pb.CreateRequest, context: grpc.ServicerContext) -> pb.CreateResponse:
        """Create a resource and wait for it; in a preview, say what is known of it."""
        resource_type = _type_of(request.urn)
        inputs = values.read(request.properties)
        if request.preview:
            return pb.CreateResponse(properties=values.write(translation.previewed(resource_type.outputs, inputs)))
        session = self.sessions.of(context.peer())
        with _refusals(resource_type, inputs):
            resource_id = translation.arm_id(resource_type, inputs, self._subscription(session))
            self._arm.check_absent(resource_id, resource_type.api_version, singleton=resource_type.singleton)
        patience = Patience(request.timeout, session.cancelled)
        resource_id, outputs = self._write(resource_type, resource_id, inputs, request.properties, patience)
        return pb.CreateResponse(id=resource_id, properties=values.write(outputs))

    @reported
    def Update(self, request: pb.UpdateRequest, context: grpc.ServicerContext) -> pb.UpdateResponse:
        """Write all inputs of a resource and wait for it; in a preview, say what is known of it."""
        resource_type = _type_of(request.urn)
        inputs = values.read(request.news)
        if request.preview:
            outputs = translation.previewed(resource_type.outputs, inputs)
            olds = values.read(request.olds)
            outputs |= {name: olds[name] for name in _STABLE_OUTPUTS if name in olds}
            return pb.UpdateResponse(properties=values.write(outputs))
        session = self.sessions.of(context.peer())
        with _refusals(resource_type, inputs):
            resource_id = translation.arm_id(resource_type, inputs, self._subscription(session))
        patience = Patience(request.timeout, session.cancelled)
        _, outputs = self._write(resource_type, resource_id, inputs, request.news, patience)
        return pb.UpdateResponse(properties=values.write(outputs))

    @reported
    def Read(self, request: pb.ReadRequest, context: grpc.ServicerContext) -> pb.ReadResponse:
        """Return what a resource is now, and its inputs with what drifted."""
        resource_type = _type_of(request.urn)
        old_inputs, old_outputs = values.read(request.inputs), values.read(request.properties)
        try:
            with _refusals(resource_type, old_inputs):
                response = self._arm.get(request.id, resource_type.api_version)
        except Refused as error:
            if isinstance(error.__cause__, ArmError) and error.__cause__.status == 404:
                return pb.ReadResponse(id="")
            raise
        outputs = translation.resource_outputs(resource_type, response)
        if request.HasField("inputs"):
            before, now = (
                translation.without_sub_resources(
                    resource_type, old_inputs, translation.as_inputs(resource_type, values_then)
                )
                for values_then in (old_outputs, outputs)
            )
            inputs = difference.drifted(old_inputs, before, now)
        else:
            try:
                inputs = translation.imported_inputs(resource_type, request.id, outputs)
            except ValueError as error:
                raise Refused(str(error)) from None
        return pb.ReadResponse(id=request.id, properties=values.write(outputs), inputs=values.write(inputs))

    @reported
    def Delete(self, request: pb.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Delete a resource and wait until it is gone."""
        resource_type = _type_of(request.urn)
        patience = Patience(request.timeout, self.sessions.of(context.peer()).cancelled)
        with _refusals(resource_type, values.read(request.old_inputs)):
            if resource_type.singleton:
                self._reset(resource_type, request.id, patience)
            else:
                self._arm.delete(request.id, resource_type.api_version, patience)
        return empty_pb2.Empty()

    @reported
    def Invoke(self, request: pb.InvokeRequest, context: grpc.ServicerContext) -> pb.InvokeResponse:
        """Answer a function."""
        subscription_id = self._subscription(self.sessions.of(context.peer()))
        try:
            found = self._invoker.invoke(request.tok, values.read(request.args), subscription_id)
        except translation.MissingParameter as error:
            failure = pb.CheckFailure(property=str(error), reason=f"missing required property '{error}'")
            return pb.InvokeResponse(failures=[failure])
        except (ArmError, ArmUnavailable, Interrupted, invokes.UnknownFunction) as error:
            raise Refused(str(error)) from None
        response = pb.InvokeResponse()
        getattr(response, "return").CopyFrom(values.write(found))
        return response

    def _write(
        self,
        resource_type: ResourceType,
        resource_id: str,
        inputs: Mapping[str, Any],
        sent: struct_pb2.Struct,
        patience: Patience,
    ) -> tuple[str, dict[str, Any]]:
        """Write a resource; return its id as ARM spells it, and its outputs as a read gives them."""
        version = resource_type.api_version
        with _refusals(resource_type, inputs) as explain:
            try:
                response = self._arm.put(
                    resource_id, version, translation.request_body(resource_type, inputs), patience
                )
            except (ArmError, Interrupted) as error:
                if not error.accepted:
                    raise
                raise self._incomplete(explain(error), resource_type, resource_id, sent) from None
            resource_id = str(response.get("id") or resource_id)
            try:
                # What a PUT answers may differ from what a read answers, and a refresh would show that as drift.
                response = self._arm.get(resource_id, version)
            except (ArmError, ArmUnavailable) as error:
                raise self._incomplete(explain(error), resource_type, resource_id, sent) from None
        return resource_id, translation.resource_outputs(resource_type, response)

    def _incomplete(
        self, reason: str, resource_type: ResourceType, resource_id: str, sent: struct_pb2.Struct
    ) -> Incomplete:
        try:
            response = self._arm.get(resource_id, resource_type.api_version)
        except (ArmError, ArmUnavailable, Interrupted) as error:
            return Incomplete(f"resource created but read failed {error}: {reason}", resource_id, None, sent)
        state = values.write(translation.resource_outputs(resource_type, response))
        return Incomplete(reason, resource_id, state, sent)

    def _reset(self, resource_type: ResourceType, resource_id: str, patience: Patience) -> None:
        """Give a server parameter its default value: it cannot be deleted.

        Source: provider/pkg/resources/customresources/custom_postgres_config.go. The source is sent as it is, which
        makes Azure put it back to `system-default` (azure-rest-api-specs #30143).
        """
        try:
            properties = self._arm.get(resource_id, resource_type.api_version).get("properties", {})
        except ArmError as error:
            if error.status == 404:  # the real provider fails here; a server that is gone took its parameters with it
                return
            raise
        default, source = properties.get("defaultValue"), properties.get("source")
        for name, value in (("default value", default), ("source", source)):
            if value is None:
                raise Refused(f"unexpected Postgres Configuration does not have a {name}: {resource_id}")
        written = self._arm.put(
            resource_id, resource_type.api_version, {"properties": {"value": default, "source": source}}, patience
        )
        value = written.get("properties", {}).get("value")
        if value != default:
            raise Refused(f"failed to reset Postgres Configuration to default value '{default}': {value}")

    def _default_location(self, session: Session, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Any:
        """Return the location of a resource whose program gives none (getDefaultLocation)."""
        if location := olds.get("location") or session.config.get("location"):
            return location
        group = news.get("resourceGroupName")
        if group is UNKNOWN or not isinstance(group, str):
            return group if group is UNKNOWN else None
        try:
            group_id = f"/subscriptions/{self._subscription(session)}/resourceGroups/{group}"
            return self._arm.get(group_id, _GROUP_API_VERSION).get("location")
        except (ArmError, ArmUnavailable):
            return None

    def _subscription(self, session: Session) -> str:
        return session.config.get("subscriptionId") or self._subscription_id


def _type_of(urn: str) -> ResourceType:
    token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    found = RESOURCE_TYPES.get(token)
    if found is None:
        known = ", ".join(sorted(RESOURCE_TYPES))
        raise Refused(f"Resource type {token} not found: the emulator has {known}.")
    return found


@contextmanager
def _refusals(resource_type: ResourceType, inputs: Mapping[str, Any]) -> Iterator[Any]:
    """Turn what goes wrong with a request into a refusal without the values of secret inputs."""
    hidden = [
        value
        for path in resource_type.secrets
        for value in bodies.find(inputs, path)
        if isinstance(value, str) and value
    ]

    def explain(error: Exception) -> str:
        text = str(error)
        if isinstance(error, translation.MissingParameter):
            text = f"missing required property '{error}'"
        for value in hidden:
            text = text.replace(value, "[secret]")
        return text

    try:
        yield explain
    except _REQUEST_FAILURES as error:
        raise Refused(explain(error)) from error
