"""Settings of the flexible server: size, who may sign in, from where, parameters, the database."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from components.availability_settings import HighAvailability, MaintenanceWindow, Zone
from components.catalogue.server_sizes import BACKUP_DAYS, STORAGE_GB, VERSIONS
from components.cluster_settings import ClusterSettings
from components.connection_settings import PgBouncerSettings, TlsVersion, named_parameters
from components.encryption_settings import EncryptionSettings, IdentityId
from components.origin_settings import OriginSettings
from components.replica_settings import NamedReplicas, VirtualEndpointSettings
from components.section import Guid, Identifier, Listed, Mapped, Section, TableName, matching, one_of
from components.sku_settings import Sku
from components.storage_settings import StorageSettings

# Reserved by the service or by PostgreSQL. Source: Microsoft.DBforPostgreSQL documentation of administratorLogin.
_RESERVED = "azure_superuser azure_pg_admin admin administrator root guest public replication postgres"
RESERVED_LOGINS = frozenset(_RESERVED.split())
SYSTEM_DATABASES = frozenset(("postgres", "azure_sys", "azure_maintenance", "template0", "template1"))


class ServerSettings(Section):
    """The flexible server."""

    version: Annotated[str, AfterValidator(one_of(*VERSIONS))] = Field(
        default="16",
        description=f"Major version of PostgreSQL: {', '.join(VERSIONS)}. `age` is unverified on 17, 18.",
    )
    sku: Sku = Field(default_factory=Sku, description="Machine size and tier.")
    storage_gb: int = Field(
        default=32,
        description=f"Storage in GiB: {', '.join(map(str, STORAGE_GB))}; any size with other types. It never shrinks.",
    )
    auto_grow: bool = Field(
        default=True,
        description="Whether Azure doubles the storage before it is full. Raise storageGb to the new size afterwards:"
        " after a refresh, the old one would shrink it, which Azure refuses.",
    )
    storage: StorageSettings = Field(
        default_factory=StorageSettings, description="Speed of the disk: type, tier, iops, throughput."
    )
    backup_retention_days: int = Field(
        default=7, ge=BACKUP_DAYS[0], le=BACKUP_DAYS[1], description="Days of point-in-time restore: 7 to 35."
    )
    geo_redundant_backup: bool = Field(
        default=False,
        description="Whether backups are copied to the paired region. Chosen once: Azure refuses to change it later.",
    )
    zone: Zone | None = Field(
        default=None,
        description="Availability zone: 1, 2 or 3; Azure chooses when left out. Used when the server is created: a"
        " failover moves the server, so a change later is ignored.",
    )
    high_availability: HighAvailability = Field(
        default_factory=HighAvailability, description="A standby: mode, standbyZone."
    )
    maintenance: MaintenanceWindow | None = Field(
        default=None, description="When Azure patches the server: day, hour, minute; Azure chooses when left out."
    )
    origin: OriginSettings | None = Field(
        default=None, description="The server that this one is restored from: mode, serverId, pointInTime, restored."
    )
    replicas: NamedReplicas = Field(
        default={}, description="Read replicas by name: location, sku, storageGb, zone; not on Burstable."
    )
    virtual_endpoint: VirtualEndpointSettings | None = Field(
        default=None, description="Host names that follow the roles when a replica is promoted: name, replica."
    )
    identities: Listed[IdentityId] = Field(
        default=(),
        description="ARM ids of user-assigned identities to give the server beside its own, which azure_ai needs.",
    )
    encryption: EncryptionSettings | None = Field(
        default=None, description="Keys of your own: keyUri, identityId, geoKeyUri, geoIdentityId. Chosen once."
    )
    cluster: ClusterSettings | None = Field(
        default=None, description="Makes it an elastic cluster of several nodes: nodes. Chosen once; PostgreSQL 17, 18."
    )
    minimum_tls: TlsVersion | None = Field(
        default=None,
        description="Oldest version of TLS that the server speaks: TLSv1.2 or TLSv1.3; TLSv1.2 when left out."
        " Connections without TLS are refused either way, unless parameters.require_secure_transport says off.",
    )
    pgbouncer: PgBouncerSettings | None = Field(
        default=None, description="Pooling on port 6432: enabled, poolMode, defaultPoolSize, ..."
    )

    @property
    def assigned_identities(self) -> tuple[str, ...]:
        """Return the user-assigned identities of the server, those of its keys among them."""
        keys = self.encryption.identities if self.encryption else ()
        return tuple(dict.fromkeys((*self.identities, *keys)))

    @property
    def brings_database(self) -> bool:
        """Say whether the database is there as soon as the server is: restored, or the only one of a cluster."""
        return self.origin is not None or self.cluster is not None

    @property
    def named_parameters(self) -> dict[str, tuple[str, object]]:
        """Return the server parameters that have a setting here: its name, and the value."""
        return named_parameters(self.minimum_tls, self.pgbouncer)


class Administrator(Section):
    """A Microsoft Entra principal that administers the server."""

    name: str = Field(
        min_length=1,
        max_length=63,
        examples=["platform-team"],
        description="Name of the principal in the directory; it is the database user's name too.",
    )
    object_id: Guid = Field(
        examples=["00000000-0000-0000-0000-000000000000"], description="Object id of the principal (a GUID)."
    )
    type: Annotated[str, AfterValidator(one_of("User", "Group", "ServicePrincipal"))] = Field(
        default="User", description="User, Group or ServicePrincipal (managed identities are service principals)."
    )


class Deployer(Section):
    """The principal that runs `pulumi up`, made an administrator under this name."""

    name: str = Field(
        min_length=1,
        max_length=63,
        examples=["pipeline"],
        description="Its name in the directory and in the database.",
    )
    type: Annotated[str, AfterValidator(one_of("User", "Group", "ServicePrincipal"))] = Field(
        default="ServicePrincipal", description="User, Group or ServicePrincipal."
    )


class AuthenticationSettings(Section):
    """Who may sign in to the database."""

    entra: bool = Field(default=True, description="Whether Microsoft Entra principals sign in with tokens.")
    password: bool = Field(
        default=False,
        description="Whether a generated password is made for `administratorLogin`.",
    )
    administrator_login: str | None = Field(
        default=None,
        description="Login of the password administrator; needed with `password`, fixed for life.",
    )
    password_rotation: int = Field(default=1, ge=1, description="Raise it by one to generate a new password.")
    tenant_id: Guid | None = Field(
        default=None, description="Directory of the principals; that of the deployer when left out."
    )
    administrators: Listed[Administrator] = Field(
        default=(), description="Entra administrators: {name, objectId, type}."
    )
    deployer: Deployer | None = Field(
        default=None, description="Makes the principal that runs `pulumi up` an administrator too: {name, type}."
    )
    sign_in_as: str | None = Field(
        default=None,
        description="Administrator that the program signs in as; `deployer`, else the first one, when left out.",
    )

    @field_validator("administrator_login")
    @classmethod
    def _login(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if value.lower() in RESERVED_LOGINS or value.lower().startswith("pg_"):
            raise ValueError(f"{value!r} is reserved; not allowed: {', '.join(sorted(RESERVED_LOGINS))}, pg_*")
        return matching(
            r"[A-Za-z_][A-Za-z0-9_]{0,62}", "1 to 63 letters, digits or underscores, not starting with a digit"
        )(value)


class FirewallRange(Section):
    """Addresses from `start` to `end`."""

    start: IPv4Address = Field(examples=["203.0.113.4"], description="First IPv4 address.")
    end: IPv4Address | None = Field(default=None, description="Last IPv4 address; the same as `start` when left out.")

    @property
    def last(self) -> IPv4Address:
        """Return the last address of the range."""
        return self.end or self.start


class FirewallSettings(Section):
    """Addresses that may reach the server."""

    rules: Mapped[FirewallRange] = Field(default={}, description="Rules by name: {start, end}.")
    allow_azure_services: bool = Field(
        default=False,
        description="Whether any address inside Azure may connect (the rule 0.0.0.0), other customers' included.",
    )

    @property
    def ranges(self) -> dict[str, tuple[str, str]]:
        """Return the first and the last address of each rule, by its name in Azure and in the order of these."""
        ranges = {name: (str(rule.start), str(rule.last)) for name, rule in sorted(self.rules.items())}
        if self.allow_azure_services:
            ranges["allow-azure-services"] = ("0.0.0.0", "0.0.0.0")  # noqa: S104  Azure's mark, no address to bind
        return ranges


class DatabaseSettings(Section):
    """The database that holds the tables and the vectors."""

    name: Annotated[
        str, AfterValidator(matching(r"[A-Za-z_][\w-]{0,62}", "1 to 63 letters, digits, underscores or hyphens"))
    ] = Field(default="contracts", description="Name of the database.")
    existing: bool = Field(
        default=False, description="Whether existing.server has it already: neither created nor deleted."
    )
    charset: Annotated[str, AfterValidator(matching(r"[A-Za-z]+\w*", "a character set such as UTF8"))] = Field(
        default="UTF8", description="Character set. A change replaces the database."
    )
    collation: Annotated[str, AfterValidator(matching(r"[A-Za-z\-]+([. ]|\w)*", "a collation such as en_US.utf8"))] = (
        Field(default="en_US.utf8", description="Collation. A change replaces the database.")
    )

    @field_validator("name")
    @classmethod
    def _not_a_system_database(cls, value: str) -> str:
        if value.lower() in SYSTEM_DATABASES:
            raise ValueError(f"{value!r} belongs to the server; not allowed: {', '.join(sorted(SYSTEM_DATABASES))}")
        return value


class VectorColumn(Section):
    """A vector column on a table that exists, for vectors that the application writes itself."""

    table: TableName = Field(examples=["public.invoices"], description="The table with its schema.")
    column: Identifier = Field(
        default="embedding", description="Name of the column to add, or to adopt when it is there."
    )
    type: Literal["vector", "halfvec"] = Field(
        default="vector", description="vector (4 bytes a number) or halfvec (2)."
    )
    dimensions: int = Field(examples=[1536], ge=1, le=16000, description="Numbers in a vector.")
