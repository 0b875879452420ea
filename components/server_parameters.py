"""ServerParameters: the parameters of a server, one after another, then a restart where one of them waits for it.

Three facts shape it. Azure runs one write at a time (azurerm #28298). A parameter set to its default is ignored and
then differs for ever (pulumi-azure-native #4736), so it is not created. And `azure.extensions` and
`shared_preload_libraries` are sets of which a write replaces the whole: the first is the union with what is there, the
second the defaults with what the extensions need, for a bare `age` would drop pg_cron and pg_stat_statements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import dbforpostgresql as pg

from components.catalogue.extensions import PRELOADS, default_preloads
from components.catalogue.parameters import PARAMETERS
from components.cloud import Cloud
from components.computed import name_of
from components.connection_settings import POOLER_SWITCH
from components.dynamic.restart_if_pending import RestartIfPending, RestartIfPendingArgs
from components.server_rules import split
from components.settings import StackSettings

ALLOWLIST = "azure.extensions"
PRELOAD = "shared_preload_libraries"


@dataclass(frozen=True, kw_only=True)
class ParameterPlan:
    """Parameters to set, in order: the allowlist, the other dynamic ones, the static ones.

    Attributes:
        allowlist: extensions that the stack wants allowed, sorted; those that are allowed already stay.
        dynamic: values by name, in force at once.
        static: values by name, in force after a restart. Those that the catalogue does not know are here: the server
            says whether one of them waits for a restart.
    """

    allowlist: tuple[str, ...]
    dynamic: dict[str, str] = field(default_factory=dict)
    static: dict[str, str] = field(default_factory=dict)


def plan_parameters(settings: StackSettings) -> ParameterPlan:
    """Plan the parameters that a stack needs: its own, those with a name, those that its extensions ask for."""
    extensions = settings.enabled_extensions
    named = {name: value for name, (_, value) in settings.server.named_parameters.items()}
    wanted: dict[str, object] = {**settings.parameters, **named}
    allowlist = {*extensions, *split(str(wanted.pop(ALLOWLIST, "")))}
    defaults = set(default_preloads(settings.server.version))
    preloads = {PRELOADS[name] for name in extensions if name in PRELOADS} | set(split(str(wanted.pop(PRELOAD, ""))))
    if "pg_cron" in extensions:
        # pg_cron can be created in one database only, and that is `postgres` unless told otherwise.
        wanted["cron.database_name"] = settings.cron_database
    values: dict[bool, dict[str, str]] = {False: {}, True: {}}
    for name, value in sorted(wanted.items(), key=lambda item: (item[0] != POOLER_SWITCH, item[0])):
        parameter = PARAMETERS.get(name)
        text = parameter.normalise(value) if parameter else str(value)
        if parameter is None or text != parameter.default:
            values[parameter is None or parameter.static][name] = text
    if preloads - defaults:
        values[True][PRELOAD] = ",".join(sorted(preloads | defaults))
    return ParameterPlan(
        allowlist=tuple(sorted(allowlist)), dynamic=values[False], static=dict(sorted(values[True].items()))
    )


def merge_allowlist(present: str | None, wanted: tuple[str, ...]) -> str:
    """Return the union as Azure keeps it: lower-case, sorted, without blanks."""
    return ",".join(sorted({*split(present or ""), *wanted}))


@dataclass(frozen=True, kw_only=True)
class ServerParametersArgs:
    """What the parameters of a server need.

    Attributes:
        resource_group_name: resource group of the server.
        server: the server.
        plan: what to set, in order.
        cloud: cloud that the server is in, for the restart.
        subscription_id: subscription of the server, for the restart.
        after: child of the server that comes before the first parameter.
    """

    resource_group_name: pulumi.Input[str]
    server: pg.Server
    plan: ParameterPlan
    cloud: Cloud
    subscription_id: pulumi.Input[str]
    after: pulumi.Resource


class ServerParameters(pulumi.ComponentResource):
    """Parameters as one chain, and a restart at its end when the server says that one is pending.

    Attributes:
        last: the end of the chain.
    """

    last: pulumi.Resource

    def __init__(self, name: str, args: ServerParametersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:server:ServerParameters", name, {}, opts)
        self._name, self._args = name, args
        self._server_name = name_of(args.server)
        self.last = args.after
        static: dict[str, pulumi.Input[str]] = {}
        if args.plan.allowlist:
            self._set(ALLOWLIST, self._allowlist())
        for parameter, value in args.plan.dynamic.items():
            self._set(parameter, value)
        for parameter, value in args.plan.static.items():
            static[parameter] = value
            self._set(parameter, value)
        self.last = RestartIfPending(
            f"{name}-restart",
            RestartIfPendingArgs(
                resource_manager=args.cloud.resource_manager,
                resource_manager_scope=args.cloud.resource_manager_scope,
                subscription_id=args.subscription_id,
                resource_group=args.resource_group_name,
                server_name=self._server_name,
                triggers=static,
            ),
            self._options(),
        )
        self.register_outputs({})

    def _options(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=[self.last], deleted_with=self._args.server)

    def _allowlist(self) -> pulumi.Output[str]:
        """Return the union of what is allowed and what is wanted; unknown while the server does not exist."""
        present = pg.get_configuration_output(
            configuration_name=ALLOWLIST,
            resource_group_name=self._args.resource_group_name,
            server_name=self._server_name,  # from the id: while there is none, there is nobody to ask
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[self._args.server]),
        )
        wanted = self._args.plan.allowlist
        merged: pulumi.Output[str] = present.apply(lambda found: merge_allowlist(found.value, wanted))
        return merged

    def _set(self, parameter: str, value: pulumi.Input[str]) -> None:
        self.last = pg.Configuration(
            f"{self._name}-{parameter}",
            resource_group_name=self._args.resource_group_name,
            server_name=self._server_name,
            configuration_name=parameter,
            source="user-override",
            value=value,
            opts=self._options(),
        )
