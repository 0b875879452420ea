"""Every argument of every azure-native resource of every checked-in stack is one that the installed package knows.

A dictionary hides a typing error from mypy, and pulumi-azure-native drops what it does not know. The types that count
are the package's own: names, kinds of values, what is required, the API version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from emulator.providers import checks, values
from emulator.providers.resource_types import RESOURCE_TYPES
from tests.components.conftest import ROOT, Recording, Registration

PROJECT = "postgres-genai"
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
GROUP = "/subscriptions/s/resourceGroups/g/providers"
IDENTITY = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/disk"
KEY = "https://vault.example.net/keys/disk"
RESTORED = {"pointInTime": "2026-01-31T12:00:00Z", "restored": True}
# What the stacks that are checked in leave out.
VARIANTS: dict[str, dict[str, Any]] = {
    "keys": {
        "authentication": {"entra": False, "password": True, "administratorLogin": "pgadmin"},
        "ai": {"authentication": "keys"},
        "keyVault": {"enabled": True, "readers": []},
    },
    "autostop": {"cost": {"autostop": {"stopAt": "19:00"}}},
    "server": {
        "server": {
            "sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"},
            "storageGb": 100,
            "autoGrow": False,
            "storage": {"type": "PremiumV2_LRS", "iops": 4000, "throughput": 200},
            "zone": 1,
            "highAvailability": {"mode": "ZoneRedundant", "standbyZone": 2},
            "geoRedundantBackup": True,
            "maintenance": {"day": "Sunday", "hour": 2},
            "minimumTls": "TLSv1.3",
            "pgbouncer": {"poolMode": "session"},
            "origin": {"serverId": f"{GROUP}/Microsoft.DBforPostgreSQL/flexibleServers/psql", **RESTORED},
            "replicas": {"reports": {"location": "westus3", "zone": 2}},
            "virtualEndpoint": {"name": "contracts-db", "replica": "reports"},
            "encryption": {"keyUri": KEY, "identityId": IDENTITY, "geoKeyUri": KEY, "geoIdentityId": IDENTITY},
        },
    },
    "cluster": {
        "server": {
            "version": "17",
            "sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"},
            "autoGrow": False,
            "storage": {"tier": "P10"},
            "cluster": {"nodes": 2},
        },
    },
    "linked": {"firewall": {}, "network": {"mode": "private-endpoint"}},
    "filtered": {
        "ai": {"contentFilters": {"strict": {}}, "network": {"ipRules": ["203.0.113.0/24"]}, "restore": ["openai"]},
    },
    "in an account that is there": {
        "ai": {"contentFilters": {"strict": {}}},
        "existing": {"openaiAccount": f"{GROUP}/Microsoft.CognitiveServices/accounts/oai"},
    },
    "pool": {
        "firewall": {"rules": {"office": {"start": "203.0.113.1"}}, "allowAzureServices": True},
        "workers": {"pool": {"image": "example.azurecr.io/postgres-genai-worker:1.0"}},
    },
}


def config_of(stack: str) -> dict[str, Any]:
    """Return a stack's config by the names in YAML."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    # `deploy` fills in what a config leaves out; a stack in a private network has no firewall.
    return {"firewall": {}, **{key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()}}


def azure(recording: Recording) -> list[Registration]:
    """Return the azure-native resources that a program asked for."""
    found = [one for one in recording.registrations if one.token.startswith("azure-native:")]
    assert found
    return found


def mistakes(registration: Registration, **more: Any) -> list[str]:
    """Return what the package's types say against a resource's arguments."""
    kind = RESOURCE_TYPES[registration.token]
    given = {**values.read(registration.request.object), **more}
    required = kind.required | frozenset(kind.path_parameters)
    return [f"{registration.name}: {one.reason}" for one in checks.failures(kind.inputs, given, kind.names, required)]


@pytest.mark.parametrize("stack", STACKS)
def test_every_argument_of_a_stack_is_one_that_the_package_has(deploy: Callable[..., Recording], stack: str) -> None:
    found = [line for one in azure(deploy(config_of(stack))) for line in mistakes(one)]
    assert not found


@pytest.mark.parametrize("variant", VARIANTS)
def test_so_is_every_argument_of_what_no_stack_uses(deploy: Callable[..., Recording], variant: str) -> None:
    found = [line for one in azure(deploy({**config_of("dev"), **VARIANTS[variant]})) for line in mistakes(one)]
    assert not found


def test_every_type_that_the_components_can_make_is_tried(deploy: Callable[..., Recording]) -> None:
    configs = [*(config_of(stack) for stack in STACKS), *({**config_of("dev"), **more} for more in VARIANTS.values())]
    tried = {one.token for config in configs for one in azure(deploy(config))}
    assert {token for token in tried if token not in RESOURCE_TYPES} == set()
    made = set()
    for path in (ROOT / "components").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        made |= {token for token in RESOURCE_TYPES if constructed(token, text)}
    assert made - tried == set(), "add a stack to VARIANTS that makes these"


def constructed(token: str, source: str) -> bool:
    """Tell whether a module calls the class of a type."""
    _, module, name = token.split(":")
    shortened = {"dbforpostgresql": "pg", "cognitiveservices": "cs"}.get(module, module)
    return f"{shortened}.{name}(" in source


def test_a_wrong_argument_is_found_in_every_resource(deploy: Callable[..., Recording]) -> None:
    for one in azure(deploy(config_of("prod"))):
        [unknown] = mistakes(one, tagz={})
        assert unknown.startswith(f"{one.name}: unknown property 'tagz'. The properties are: ")
        first = RESOURCE_TYPES[one.token].path_parameters[-1]
        assert f"{one.name}: '{first}' should be of type 'string' but got an array" in mistakes(one, **{first: [1]})


def test_the_api_version_is_that_of_the_package(deploy: Callable[..., Recording]) -> None:
    """A resource that names a version of its own would be checked against the types of another one."""
    for one in azure(deploy(config_of("prod"))):
        assert "azureApiVersion" not in one.inputs
        assert not one.request.version or one.request.version.startswith("3.29")
