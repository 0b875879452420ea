"""Rules over an elastic cluster.

Source: azure-databases-docs, "Elastic clusters" and its limitations (2025-11); terraform-provider-azurerm 69697b7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.cluster_settings import UNSUPPORTED_EXTENSIONS
from components.mistakes import Findings

if TYPE_CHECKING:
    from components.settings import StackSettings

_HERE = ("server", "cluster")
_OLDEST = 17


def check(settings: StackSettings, findings: Findings) -> None:
    """Add every mistake of an elastic cluster."""
    server = settings.server
    if server.cluster is None:
        return
    if int(server.version) < _OLDEST:
        findings.add(("server", "version"), f"{server.version} has no elastic clusters; allowed: 17, 18", reads=[_HERE])
    if server.auto_grow:
        findings.add(("server", "autoGrow"), "must be false: the disks of an elastic cluster do not grow by themselves")
    if server.origin is not None:
        findings.add(_HERE, "cannot be made from another server; leave server.origin out")
    if len(server.replicas) > 1:
        findings.add(("server", "replicas"), "an elastic cluster has at most one replica")
    for position, name in enumerate(settings.extensions):
        if name in UNSUPPORTED_EXTENSIONS:
            findings.add(("extensions", position), f"{name!r} is not there on an elastic cluster")
