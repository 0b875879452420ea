"""The plugin of dynamic resources: the SDK's own, which ends with its engine and reports errors for people as they are.

The SDK's server makes "Exception calling application" of every exception of a provider. Errors of `database/` are
written for people, so they are passed on alone; anything else is a bug, and gets its traceback on standard error.
"""

from __future__ import annotations

import functools
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

import grpc

from tools.engine.parent import end_with_parent

FOR_PEOPLE = "database.errors"


class CleanErrors(grpc.ServerInterceptor):  # type: ignore[misc]
    """Turns an error that is written for people into a gRPC status with that text."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Wrap one method."""
        method = continuation(handler_call_details)
        if method is None or method.unary_unary is None:
            return method

        def call(request: Any, context: Any) -> Any:
            try:
                return method.unary_unary(request, context)
            except Exception as error:
                if not is_for_people(error):
                    # The SDK serves fewer calls than the engine makes, and says so by this error: that is no fault.
                    if not isinstance(error, NotImplementedError):
                        traceback.print_exc()
                    raise
                context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(call, method.request_deserializer, method.response_serializer)


def is_for_people(error: BaseException) -> bool:
    """Tell whether the error's class, or a base of it, is one of `database/errors.py`."""
    return any(base.__module__ == FOR_PEOPLE for base in type(error).__mro__)


def main() -> None:
    """Serve until the engine ends or the terminal interrupts."""
    sys.path.insert(0, str(Path.cwd()))
    end_with_parent()
    grpc.server = functools.partial(grpc.server, interceptors=(CleanErrors(),))
    runpy.run_module("pulumi.dynamic.__main__", run_name="__main__")
    os._exit(0)  # an interrupted `create` must not go on in its thread, unseen


if __name__ == "__main__":
    main()
