"""Names and locations that a program leaves to the provider.

Follows pulumi-azure-native provider/pkg/resources/resources.go (AutoNamer) and provider/pkg/provider/provider.go
(getDefaultName): the last parameter of a path is named after the resource, with a random end when nothing but the
resource group stands above it, as a copy when it is a child, as a GUID for a role assignment.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.runtime.proto import provider_pb2 as pb

from emulator.providers.resource_types import ResourceType

CREATE_BEFORE_DELETE = "__createBeforeDelete"
"""The input that says that a name is random, so that the new resource can stand beside the old one."""

_RANDOM_HEX = 8


@dataclass(frozen=True)
class Name:
    """A name, and whether it has a random part."""

    text: str
    random: bool


def name_for(resource_type: ResourceType, request: pb.CheckRequest, olds: Mapping[str, Any]) -> Name | None:
    """Return a name for a resource whose program gives none, or None when naming is switched off."""
    parameter = resource_type.path_parameters[-1]
    old = olds.get(parameter)
    if isinstance(old, str):
        return Name(old, random=bool(olds.get(CREATE_BEFORE_DELETE, False)))
    strategy = _strategy(resource_type, parameter)
    if request.HasField("autonaming"):
        options = pb.CheckRequest.AutonamingOptions
        if request.autonaming.mode == options.Mode.DISABLE:
            return None
        if request.autonaming.mode == options.Mode.ENFORCE or strategy != "uuid":
            return Name(request.autonaming.proposed_name, random=True)
    logical = request.urn.rsplit("::", maxsplit=1)[-1]
    if strategy == "copy":
        return Name(logical, random=False)
    seed = request.randomSeed or secrets.token_bytes(32)
    digits = hashlib.sha256(seed + logical.encode()).hexdigest()
    return Name(str(uuid.UUID(digits[:32])) if strategy == "uuid" else logical + digits[:_RANDOM_HEX], random=True)


def _strategy(resource_type: ResourceType, parameter: str) -> str:
    if parameter == "roleAssignmentName":
        return "uuid"
    parts = resource_type.path.lower().split("microsoft.")
    return "random" if len(parts) == 1 or parts[-1].count("{") == 1 else "copy"


def normal_location(location: str) -> str:
    """Return a location as it compares: "East US 2" and "eastus2" are one."""
    return location.replace(" ", "").lower()
