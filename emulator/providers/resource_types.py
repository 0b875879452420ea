"""What the providers know of each `azure-native` resource type beyond the SDK package's own types.

Sources: pulumi-azure-native 3.29.0 (paths and api-versions are those in the SDK's documentation; `force_new` follows
provider/pkg/gen/replacement.go and the `x-ms-mutability` of azure-rest-api-specs: create without update, at the top
level or directly under `properties` only, since provider/pkg/gen/properties.go does not replace for what lies deeper);
azure-rest-api-specs for the rules of names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.providers import shapes
from emulator.providers.shapes import Field

PACKAGE = "pulumi_azure_native"

ENVELOPE = frozenset(
    {
        "etag",
        "extendedLocation",
        "id",
        "identity",
        "kind",
        "location",
        "managedBy",
        "name",
        "plan",
        "sku",
        "systemData",
        "tags",
        "type",
        "zones",
    }
)
"""What lies beside `properties` in an ARM body (Azure Resource Manager RPC, "Common API details")."""


@dataclass(frozen=True)
class NameRule:
    """What the provider itself checks of a name, before ARM sees it."""

    shortest: int
    longest: int
    pattern: str | None = None


@dataclass(frozen=True)
class ResourceType:
    """One type of resource.

    Attributes:
        module: The SDK module, for example `dbforpostgresql`.
        name: The SDK class, for example `Server`.
        api_version: The version that version 3.29.0 of the SDK uses.
        path: The ARM path; its parameters are inputs of the resource, and a change of one replaces it.
        force_new: Inputs whose change replaces the resource, besides those of the path.
        required: Inputs that ARM requires though the SDK's constructor does not, because the provider may fill them.
        singleton: Whether Azure makes it with its parent, so that it can neither be created nor deleted.
        secrets: Inputs that must never appear in an error.
        names: Rules of path parameters.
        unescaped: Path parameters that are paths themselves.
    """

    module: str
    name: str
    api_version: str
    path: str
    force_new: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    singleton: bool = False
    secrets: frozenset[str] = frozenset()
    names: Mapping[str, NameRule] = field(default_factory=dict)
    unescaped: frozenset[str] = frozenset()

    @property
    def token(self) -> str:
        """The type's token, such as `azure-native:dbforpostgresql:Server`."""
        return f"azure-native:{self.module}:{self.name}"

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The inputs that the path is made of."""
        return tuple(name for name in re.findall(r"{(\w+)}", self.path) if name != "subscriptionId")

    @property
    def inputs(self) -> Mapping[str, Field]:
        """What the resource takes."""
        return shapes.inputs(PACKAGE, self.module, self.name)

    @property
    def outputs(self) -> Mapping[str, Field]:
        """What the resource gives."""
        return shapes.outputs(PACKAGE, self.module, self.name)

    @property
    def body_inputs(self) -> Mapping[str, Field]:
        """What the resource takes and sends in the body."""
        return {name: value for name, value in self.inputs.items() if name not in self.path_parameters}

    def container(self, name: str) -> str | None:
        """Return "properties" for a property that the SDK lifts out of there, and None for any other."""
        return None if name in ENVELOPE or "properties" in self.outputs else "properties"


_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
_SERVER = f"{_GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{{serverName}}"
_ACCOUNT = f"{_GROUP}/providers/Microsoft.CognitiveServices/accounts/{{accountName}}"

_LOCATION = frozenset({"location"})

_GROUP_NAME = NameRule(1, 90)
_SERVER_NAME = NameRule(3, 63, "^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*")
_SERVER_NAMES = {"resourceGroupName": _GROUP_NAME, "serverName": _SERVER_NAME}
_ACCOUNT_NAMES = {"resourceGroupName": _GROUP_NAME, "accountName": NameRule(2, 64, "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")}

_ALL = (
    ResourceType(
        "resources",
        "ResourceGroup",
        "2024-03-01",
        _GROUP,
        _LOCATION,
        required=_LOCATION,
        names={"resourceGroupName": _GROUP_NAME},
    ),
    ResourceType(
        "dbforpostgresql",
        "Server",
        "2025-08-01",
        _SERVER,
        frozenset({"location", "administratorLogin", "availabilityZone", "sourceServerResourceId", "pointInTimeUTC"}),
        required=_LOCATION,
        secrets=frozenset({"administratorLoginPassword"}),
        names=_SERVER_NAMES,
    ),
    # customresources/custom_postgres_config.go: a singleton whose delete writes the default value
    ResourceType(
        "dbforpostgresql",
        "Configuration",
        "2025-08-01",
        f"{_SERVER}/configurations/{{configurationName}}",
        singleton=True,
        names=_SERVER_NAMES,
    ),
    ResourceType(
        "dbforpostgresql", "Database", "2025-08-01", f"{_SERVER}/databases/{{databaseName}}", names=_SERVER_NAMES
    ),
    ResourceType(
        "dbforpostgresql",
        "FirewallRule",
        "2025-08-01",
        f"{_SERVER}/firewallRules/{{firewallRuleName}}",
        names=_SERVER_NAMES,
    ),
    ResourceType(
        "dbforpostgresql",
        "AdministratorsMicrosoftEntra",
        "2025-08-01",
        f"{_SERVER}/administrators/{{objectId}}",
        names=_SERVER_NAMES,
    ),
    ResourceType("cognitiveservices", "Account", "2025-06-01", _ACCOUNT, _LOCATION, names=_ACCOUNT_NAMES),
    ResourceType(
        "cognitiveservices",
        "Deployment",
        "2025-06-01",
        f"{_ACCOUNT}/deployments/{{deploymentName}}",
        names=_ACCOUNT_NAMES,
    ),
    ResourceType(
        "authorization",
        "RoleAssignment",
        "2022-04-01",
        "/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        frozenset({"principalId", "scope"}),
        unescaped=frozenset({"scope"}),
    ),
)

RESOURCE_TYPES: Mapping[str, ResourceType] = {entry.token: entry for entry in _ALL}
"""Every type by its token."""
