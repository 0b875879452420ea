"""How a provider tells the engine that something failed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import status_pb2

_log = logging.getLogger(__name__)
Servicer = TypeVar("Servicer")
Request = TypeVar("Request")
Response = TypeVar("Response")
Method = Callable[[Servicer, Request, grpc.ServicerContext], Response]


class Refused(Exception):
    """A request that fails; the message is shown to the person who runs the engine."""


class Incomplete(Exception):
    """A resource that was made, but not to its end: the engine keeps it in state and the next update goes on.

    Source: partialError in pulumi-azure-native provider/pkg/provider/crud/crud.go.
    """

    def __init__(
        self, reason: str, resource_id: str, state: struct_pb2.Struct | None, inputs: struct_pb2.Struct
    ) -> None:
        super().__init__(reason)
        self.detail = pb.ErrorResourceInitFailed(id=resource_id, properties=state, reasons=[reason], inputs=inputs)


def reported(method: Method[Servicer, Request, Response]) -> Method[Servicer, Request, Response]:
    """Turn the exceptions of a servicer's method into answers that the engine understands."""

    @wraps(method)
    def call(self: Servicer, request: Request, context: grpc.ServicerContext) -> Response:
        try:
            return method(self, request, context)
        except Incomplete as error:
            _abort_incomplete(context, error)
        except Refused as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:
            if _aborted(error):
                raise
            # What an unforeseen exception says may hold a value of the program, so only its kind goes out.
            _log.exception("%s failed", method.__name__)
            text = f"{method.__name__} failed in the emulator with {type(error).__name__}"
            text += "; its log (`python -m emulator logs`) says more."
            context.abort(grpc.StatusCode.INTERNAL, text)
        raise AssertionError("abort returned")

    return call


def _aborted(error: Exception) -> bool:
    # grpc's own abort raises a bare Exception.
    return type(error) is Exception and not error.args


def _abort_incomplete(context: Any, error: Incomplete) -> NoReturn:
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(error.detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))
    raise AssertionError("abort returned")
