"""Where a provider shows the lines that matter only while an operation runs.

What a provider writes to standard error the CLI shows twice: when it comes, and once more under Diagnostics at the end.
What the engine is told to be ephemeral it shows once (pulumi/pulumi #1853).
"""

from __future__ import annotations

import functools
import re
import sys
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from database.progress import progress

_ADDRESS = re.compile(r"[\w.]+:\d+")
_SECONDS = 5.0


def show_passing(line: str) -> None:
    """Show a line once; on standard error where there is no engine to show it."""
    request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, ephemeral=True)
    try:
        _engine().Log(request, timeout=_SECONDS)
    except (grpc.RpcError, LookupError):
        progress(line)


@functools.cache
def _engine() -> Any:
    """Return the engine that started this plugin, whose address is the first argument (pulumi.dynamic)."""
    address = next((argument for argument in sys.argv[1:2] if _ADDRESS.fullmatch(argument)), None)
    if address is None:
        raise LookupError
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
