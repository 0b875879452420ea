"""What a killed engine leaves in a stack's state: operations it had begun, which the engine warns of from then on."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tools.failure import Failure
from tools.places import ROOT

if TYPE_CHECKING:
    from tools.pulumi import Pulumi


def forget_settled(pulumi: Pulumi) -> None:
    """Take out of a local stack's state what a successful `up` has brought to its end.

    Raises:
        Failure: the state cannot be written.
    """
    if not pulumi.local or b'"pending_operations"' not in pulumi.local.checkpoint.read_bytes():
        return
    state = pulumi.state()
    deployment = state.get("deployment") or {}
    pending = deployment.get("pending_operations") or []
    there = {resource["urn"] for resource in deployment.get("resources") or []}
    open_ones = [operation for operation in pending if not is_settled(operation, there)]
    if len(open_ones) == len(pending):
        return
    deployment["pending_operations"] = open_ones
    command = [str(pulumi.engine.pulumi), "stack", "import", "--stack", pulumi.name, "--non-interactive"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=pulumi.environment,
        input=json.dumps(state),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failure(f"The state of the stack {pulumi.name} cannot be written: {done.stderr.strip()}")


def is_settled(operation: dict[str, Any], there: set[str]) -> bool:
    """Tell whether the state shows the end of an operation.

    Args:
        operation: a pending operation as the state has it.
        there: the URNs of the resources in the state.
    """
    is_there = str(operation["resource"]["urn"]) in there
    return is_there is not bool(operation["type"] == "deleting")
