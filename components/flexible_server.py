"""FlexibleServer: the server, who may reach it and sign in, its parameters, its database; one after another.

Azure refuses a second operation while a server is busy (azurerm #28298), an administrator while the server is updating
(azure-postgresql #127), and gives a database made before its administrators to the wrong owner (bicep-registry-modules
#3596). So every child waits for the one before it: server -> firewall -> administrators -> parameters (dynamic, then
static) -> restart if one is pending -> database -> read replicas -> virtual endpoint -> private endpoint. What runs SQL
waits for `ready`, the last of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_random as random
from pulumi_azure_native import dbforpostgresql as pg

from components.availability_settings import DAYS, HighAvailability, MaintenanceWindow
from components.cloud import Cloud
from components.computed import computed, name_of
from components.database_server import DatabaseServer, connection_to, warn_of_another_principal
from components.network import Network
from components.network_change import refuse_change_of_injection
from components.read_replicas import ROLE, ReadReplicas, ReadReplicasArgs
from components.server_identity import encryption, identity, principal_id
from components.server_parameters import ParameterPlan, ServerParameters, ServerParametersArgs, plan_parameters
from components.server_settings import (
    AuthenticationSettings,
    DatabaseSettings,
    FirewallSettings,
    ServerSettings,
)
from components.settings import StackSettings

PASSWORD_LENGTH = 24


@dataclass(frozen=True, kw_only=True)
class FlexibleServerArgs:
    """What a flexible server is made of.

    Attributes:
        resource_group_name: resource group that holds it.
        server_name: physical name, unique in the world.
        location: Azure region.
        tags: tags of the server.
        server: version, size, storage, backup.
        authentication: who may sign in.
        firewall: from where.
        database: the database to create.
        parameters: server parameters to set, in order.
        cloud: cloud that the server is in.
        tenant_id: directory of the Entra principals.
        deployer_object_id: object id of the signed-in principal; used where the settings make it an administrator.
        subscription_id: subscription that holds the server.
        database_user: user that the program signs in as.
        network: network that it is reached in, or None with public access.
        protect: refuse to delete the server and the database.
    """

    resource_group_name: pulumi.Input[str]
    server_name: pulumi.Input[str]
    location: pulumi.Input[str]
    server: ServerSettings
    authentication: AuthenticationSettings
    firewall: FirewallSettings
    database: DatabaseSettings
    parameters: ParameterPlan
    cloud: Cloud
    tenant_id: pulumi.Input[str]
    deployer_object_id: pulumi.Input[str]
    subscription_id: pulumi.Input[str]
    database_user: str
    network: Network | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    protect: bool = False

    @classmethod
    def of(cls, settings: StackSettings, **others: Any) -> FlexibleServerArgs:
        """Return the arguments that the settings say, and `others` beside them."""
        return cls(
            server=settings.server,
            authentication=settings.authentication,
            firewall=settings.firewall,
            database=settings.database,
            parameters=plan_parameters(settings),
            database_user=settings.database_user,
            protect=settings.protect,
            **others,
        )


class FlexibleServer(DatabaseServer):
    """A server with a system-assigned identity, ready for SQL: for whoever is in its network, where it has one.

    Attributes:
        server: the server resource.
        fqdn: host name.
        principal_id: object id of the server's identity.
        replicas: the read replicas and the virtual endpoint, or None where there is neither.
    """

    server: pg.Server
    replicas: ReadReplicas | None
    fqdn: pulumi.Output[str]
    principal_id: pulumi.Output[str]

    def __init__(self, name: str, args: FlexibleServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pgai:server:FlexibleServer", name, {}, opts)
        self._name, self._args = name, args
        generated = self._password() if args.authentication.password else None
        self.administrator_password = generated
        self.password = None if args.authentication.entra else generated
        self.server = self._server(generated)
        self.server_id, self.deleted_with = self.server.id, self.server
        refuse_change_of_injection(
            self.server, injected=args.network is not None and args.network.injection is not None
        )
        self._server_name = name_of(self.server)
        self.ready = self.server
        self._firewall()
        self._administrators()
        self._parameters()
        self._database()
        self.replicas = self._replicas()
        self.ready = self.replicas.last if self.replicas else self.ready
        if args.network is not None and args.network.injection is None:
            after = pulumi.ResourceOptions(parent=self, depends_on=[self.ready])
            suffixes = [args.cloud.postgres_suffix]
            self.ready = args.network.endpoint(
                f"{name}-endpoint", "server", self.server.id, "postgresqlServer", suffixes, after
            )

        self.fqdn = pulumi.Output.concat(self._server_name, ".", args.cloud.postgres_suffix)
        self.principal_id = computed(self.server, self.server.identity, "principal_id", principal_id)
        self.principals = {
            "server_principal_id": self.principal_id,
            "replica_principal_ids": self.replicas.principal_ids if self.replicas else {},
        }
        self.replica_ids = {name: one.id for name, one in self.replicas.servers.items()} if self.replicas else {}
        self.connection = connection_to(
            self.fqdn, self._database_name, args.database_user, args.cloud, entra=args.authentication.entra
        )
        self.exports = {
            "serverName": self._server_name,
            "serverFqdn": self.fqdn,
            "serverId": self.server.id,
            "serverPrincipalId": self.principal_id,
            "database": self._database_name,
            "databaseUser": args.database_user,
            "connection": pulumi.Output.from_input(self.connection),
            **(self.replicas.exports if self.replicas else {}),
        }
        self.register_outputs(self.exports)

    def _child(self, *, protect: bool | None = None) -> pulumi.ResourceOptions:
        """Return the options of the next child: after the one before it, and gone when the server goes."""
        return pulumi.ResourceOptions(parent=self, depends_on=[self.ready], deleted_with=self.server, protect=protect)

    def _password(self) -> pulumi.Output[str]:
        """Generate a password that cannot hold three characters of the login in a row, as Azure demands.

        A login has no hyphen (server_settings), so a hyphen after every second character rules such a run out. Upper
        case, lower case, digits and the hyphen make four of Azure's categories, of which three are needed.
        """
        generated = random.RandomPassword(
            f"{self._name}-password",
            length=PASSWORD_LENGTH,
            special=False,
            min_upper=2,
            min_lower=2,
            min_numeric=2,
            keepers={"rotation": str(self._args.authentication.password_rotation)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.secret(
            generated.result.apply(lambda text: "-".join(text[at : at + 2] for at in range(0, len(text), 2)))
        )

    def _server(self, password: pulumi.Output[str] | None) -> pg.Server:
        args, access, origin = self._args, self._args.authentication, self._args.server.origin
        return pg.Server(
            self._name,
            resource_group_name=args.resource_group_name,
            server_name=args.server_name,
            location=args.location,
            tags=dict(args.tags),
            version=args.server.version,
            create_mode="Default" if origin is None or origin.restored else origin.mode,
            source_server_resource_id=origin.server_id if origin else None,
            point_in_time_utc=origin.point_in_time if origin else None,
            sku=pg.SkuArgs(name=args.server.sku.name, tier=args.server.sku.tier),
            storage=_storage(args.server),
            backup=pg.BackupArgs(
                backup_retention_days=args.server.backup_retention_days,
                geo_redundant_backup="Enabled" if args.server.geo_redundant_backup else "Disabled",
            ),
            availability_zone=args.server.zone,
            high_availability=pg.HighAvailabilityArgs(
                mode=args.server.high_availability.mode,
                standby_availability_zone=args.server.high_availability.standby_zone,
            ),
            maintenance_window=_maintenance_window(args.server.maintenance),
            # The SDK's enums of these values are those of other ARM types and wrong here: strings as ARM wants them.
            auth_config=pg.AuthConfigArgs(
                active_directory_auth="Enabled" if access.entra else "Disabled",
                password_auth="Enabled" if access.password else "Disabled",
                tenant_id=args.tenant_id if access.entra else None,
            ),
            identity=identity(args.server),
            data_encryption=encryption(args.server),
            cluster=_cluster(args.server, args.database.name),
            network=self._network(),
            administrator_login=access.administrator_login if access.password else None,
            administrator_login_password=password,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.network.ready if args.network is not None else None,
                protect=args.protect,
                # Where a server comes from is said once, and is no reason to make it again.
                ignore_changes=[*_zones_that_azure_moves(args.server.high_availability), "pointInTimeUTC", *ROLE],
            ),
        )

    def _network(self) -> pg.NetworkArgs:
        network = self._args.network
        if network is None:
            return pg.NetworkArgs(public_network_access="Enabled")
        if network.injection is None:
            return pg.NetworkArgs(public_network_access="Disabled")
        return pg.NetworkArgs(
            public_network_access="Disabled",
            delegated_subnet_resource_id=network.injection.subnet_id,
            private_dns_zone_arm_resource_id=network.injection.zone_id,
        )

    def _firewall(self) -> None:
        for rule_name, (start, end) in self._args.firewall.ranges.items():
            self.ready = pg.FirewallRule(
                f"{self._name}-firewall-{rule_name}",
                resource_group_name=self._args.resource_group_name,
                server_name=self._server_name,
                firewall_rule_name=rule_name,
                start_ip_address=start,
                end_ip_address=end,
                opts=self._child(),
            )

    def _administrators(self) -> None:
        access = self._args.authentication
        principals: list[tuple[str, pulumi.Input[str], str]] = []
        if access.deployer is not None:
            principals.append((access.deployer.name, self._args.deployer_object_id, access.deployer.type))
        principals += [(one.name, one.object_id, one.type) for one in access.administrators]
        for principal, object_id, kind in principals:
            if principal == self._args.database_user and kind != "Group":
                pulumi.Output.all(principal, object_id, self._args.deployer_object_id).apply(
                    lambda known: warn_of_another_principal(*known)
                )
            self.ready = pg.AdministratorsMicrosoftEntra(
                f"{self._name}-administrator-{principal}",
                resource_group_name=self._args.resource_group_name,
                server_name=self._server_name,
                object_id=object_id,
                principal_name=principal,
                principal_type=kind,
                tenant_id=self._args.tenant_id,
                opts=self._child(),
            )

    def _parameters(self) -> None:
        parameters = ServerParameters(
            f"{self._name}-parameters",
            ServerParametersArgs(
                resource_group_name=self._args.resource_group_name,
                server=self.server,
                plan=self._args.parameters,
                cloud=self._args.cloud,
                subscription_id=self._args.subscription_id,
                after=self.ready,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.ready = parameters.last

    def _database(self) -> None:
        """Create the database, unless it is there already: creating it again would fail."""
        wanted = self._args.database
        self._database_name = pulumi.Output.from_input(wanted.name)
        if self._args.server.brings_database:
            return
        options = pulumi.ResourceOptions.merge(
            self._child(protect=self._args.protect),
            # Azure refuses to change either (azurerm: ForceNew); the provider does not know it.
            pulumi.ResourceOptions(replace_on_changes=["charset", "collation"], delete_before_replace=True),
        )
        database = pg.Database(
            f"{self._name}-database",
            resource_group_name=self._args.resource_group_name,
            server_name=self._server_name,
            database_name=wanted.name,
            charset=wanted.charset,
            collation=wanted.collation,
            opts=options,
        )
        self.ready, self._database_name = database, name_of(database)

    def _replicas(self) -> ReadReplicas | None:
        network = self._args.network
        if not self._args.server.replicas and self._args.server.virtual_endpoint is None:
            return None
        return ReadReplicas(
            f"{self._name}-replicas",
            ReadReplicasArgs(
                resource_group_name=self._args.resource_group_name,
                network=self._network() if network is not None else None,
                endpoints=network if network is not None and network.injection is None else None,
                location=self._args.location,
                tags=self._args.tags,
                primary=self.server,
                server=self._args.server,
                firewall=self._args.firewall.ranges if network is None else None,
                cloud=self._args.cloud,
                subscription_id=self._args.subscription_id,
                after=self.ready,
                protect=self._args.protect,
            ),
            pulumi.ResourceOptions(parent=self),
        )


def _storage(server: ServerSettings) -> pg.StorageArgs:
    """Return the disk; what is left out, Azure derives from the size."""
    return pg.StorageArgs(
        storage_size_gb=server.storage_gb,
        auto_grow="Enabled" if server.auto_grow else "Disabled",
        # Azure spells the ordinary type in two ways, "" and Premium_LRS, and takes one for a change of the other.
        type=server.storage.type if server.storage.provisioned else None,
        tier=server.storage.tier,
        iops=server.storage.iops,
        throughput=server.storage.throughput,
    )


def _cluster(server: ServerSettings, database: str) -> pg.ClusterArgs | None:
    """Return the nodes of an elastic cluster, which has one database for good."""
    if server.cluster is None:
        return None
    return pg.ClusterArgs(cluster_size=server.cluster.nodes, default_database_name=database)


def _zones_that_azure_moves(available: HighAvailability) -> list[str]:
    """Return the zones whose change is no reason to replace: Azure chooses, a failover swaps them (azurerm #25538).

    What is ignored keeps its old value, and a server without a standby in another zone must not name one.
    """
    standby = ["highAvailability.standbyAvailabilityZone"] if available.mode == "ZoneRedundant" else []
    return ["availabilityZone", *standby]


def _maintenance_window(wanted: MaintenanceWindow | None) -> pg.MaintenanceWindowArgs:
    """Return the window; without one, say so, for Azure keeps a window that is merely left out."""
    if wanted is None:
        return pg.MaintenanceWindowArgs(custom_window="Disabled", day_of_week=0, start_hour=0, start_minute=0)
    return pg.MaintenanceWindowArgs(
        custom_window="Enabled",
        day_of_week=DAYS.index(wanted.day),
        start_hour=wanted.hour,
        start_minute=wanted.minute,
    )
