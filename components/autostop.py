"""Autostop: stops a server by the clock, and starts it again, from a Logic App that may do nothing else.

A workflow with a clock and one call needs fewer parts than an Automation account, whose runbook lies at an address on
the internet. Its identity has a role of its own with three actions, for no built-in role is as small.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_azure_native import authorization, logic

from components.cloud import Cloud
from components.computed import computed, group_and_name
from components.cost_settings import AutostopSettings
from components.role_assignment import role_assignment

ACTIONS = (
    "Microsoft.DBforPostgreSQL/flexibleServers/read",
    "Microsoft.DBforPostgreSQL/flexibleServers/start/action",
    "Microsoft.DBforPostgreSQL/flexibleServers/stop/action",
)
_API_VERSION = "2025-08-01"
_RIGHT = "start-and-stop"
_DEFINITION_SCHEMA = (
    "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"
)


@dataclass(frozen=True, kw_only=True)
class AutostopArgs:
    """What autostop is made of.

    Attributes:
        resource_group_name: resource group of the workflows.
        resource_group_id: its ARM id, in which the role can be given.
        location: Azure region.
        settings: when the server stops and starts.
        server_id: ARM id of the server.
        cloud: cloud that the server is in.
        tags: tags of the workflows.
    """

    resource_group_name: pulumi.Input[str]
    resource_group_id: pulumi.Input[str]
    location: pulumi.Input[str]
    settings: AutostopSettings
    server_id: pulumi.Input[str]
    cloud: Cloud
    tags: Mapping[str, str] = field(default_factory=dict)


class Autostop(pulumi.ComponentResource):
    """One workflow that stops the server and, where a start is wanted, one that starts it."""

    def __init__(self, name: str, args: AutostopArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:cost:Autostop", name, {}, opts)
        self._name, self._args = name, args
        self._role = self._role_definition()
        self._workflow("stop", args.settings.stop_at)
        if args.settings.start_at is not None:
            self._workflow("start", args.settings.start_at)
        self.register_outputs({})

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _role_definition(self) -> authorization.RoleDefinition:
        group = pulumi.Output.from_input(self._args.resource_group_id)
        return authorization.RoleDefinition(
            f"{self._name}-role",
            scope=group,
            role_definition_id=group.apply(role_id),
            role_name=group.apply(lambda known: f"Starts and stops PostgreSQL in {known.rpartition('/')[2]}"),
            description="Starts and stops flexible servers, and sees in which state they are.",
            assignable_scopes=[group],
            permissions=[
                authorization.PermissionArgs(
                    actions=list(ACTIONS), not_actions=[], data_actions=[], not_data_actions=[]
                )
            ],
            opts=self._child(),
        )

    def _workflow(self, action: str, at: str) -> None:
        workflow = logic.Workflow(
            f"{self._name}-{action}",
            resource_group_name=self._args.resource_group_name,
            workflow_name=f"{action}-server",
            location=self._args.location,
            state="Enabled",
            identity=logic.ManagedServiceIdentityArgs(type="SystemAssigned"),
            definition=pulumi.Output.from_input(self._args.server_id).apply(
                lambda server_id: definition(self._args.settings, self._args.cloud, server_id, action, at)
            ),
            tags=dict(self._args.tags),
            opts=self._child(),
        )
        principal = computed(workflow, workflow.identity, "principal_id", _principal_id)
        role_assignment(
            f"{self._name}-{action}-right",
            self._args.server_id,
            principal,
            pulumi.Output.from_input(self._args.resource_group_id).apply(role_id),
            pulumi.ResourceOptions(parent=self, depends_on=[self._role]),
            named_after=_RIGHT,
        )


def definition(settings: AutostopSettings, cloud: Cloud, server_id: str, action: str, at: str) -> dict[str, Any]:
    """Return a workflow's definition (azure-docs, "Schema reference guide for trigger and action types")."""
    hour, minute = (int(part) for part in at.split(":"))
    return {
        "$schema": _DEFINITION_SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {},
        "triggers": {
            "clock": {
                "type": "Recurrence",
                "recurrence": {
                    "frequency": "Week",
                    "interval": 1,
                    "timeZone": settings.time_zone,
                    "schedule": {"hours": [str(hour)], "minutes": [minute], "weekDays": list(settings.days)},
                },
            }
        },
        "actions": {
            action: {
                "type": "Http",
                "runAfter": {},
                "inputs": {
                    "method": "POST",
                    "uri": f"{cloud.resource_manager}{server_id}/{action}?api-version={_API_VERSION}",
                    "authentication": {
                        "type": "ManagedServiceIdentity",
                        "audience": cloud.resource_manager_scope.removesuffix(".default"),
                    },
                },
            }
        },
        "outputs": {},
    }


def role_id(group_id: str) -> str:
    """Return the GUID of the role: the same for the same group, so that a second `up` finds it again."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{group_id.lower()}|{_RIGHT}"))


def _principal_id(workflow_id: str) -> str:
    group, workflow = group_and_name(workflow_id)
    found = logic.get_workflow(resource_group_name=group, workflow_name=workflow)
    return str(found.identity.principal_id)
