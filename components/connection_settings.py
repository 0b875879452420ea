"""Settings of how clients connect, each a server parameter with a name of its own: TLS, and pooling by PgBouncer."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.catalogue.parameters import PARAMETERS
from components.section import Section, one_of

# Azure hides every other parameter of PgBouncer until this one is on (azure-databases-docs, "PgBouncer").
POOLER_SWITCH = "pgbouncer.enabled"

TlsVersion = Annotated[str, AfterValidator(one_of(*PARAMETERS["ssl_min_protocol_version"].allowed))]


class PgBouncerSettings(Section):
    """Pooling on port 6432, by the PgBouncer that Azure runs beside the server; what is left out is Azure's default."""

    enabled: bool = Field(
        default=True, description="Whether it runs; not on Burstable. Port 5432 stays as it is, without pooling."
    )
    pool_mode: Annotated[str, AfterValidator(one_of(*PARAMETERS["pgbouncer.pool_mode"].allowed))] | None = Field(
        default=None,
        description="When a connection is free for others: transaction (Azure's default), session, statement.",
    )
    default_pool_size: int | None = Field(
        default=None, ge=1, le=4950, description="Connections to the server for each user and database; 50 by default."
    )
    min_pool_size: int | None = Field(
        default=None, ge=0, le=4950, description="Connections that a pool keeps open; 0 by default."
    )
    max_client_connections: int | None = Field(
        default=None, ge=1, le=50_000, description="Clients at once; 5000 by default."
    )
    max_prepared_statements: int | None = Field(
        default=None,
        ge=0,
        le=5000,
        description="Protocol-level prepared statements that it tracks; with 0, the default, clients must not prepare.",
    )
    query_wait_seconds: int | None = Field(
        default=None, ge=0, le=86_400, description="Longest wait for a free connection, in seconds; 120 by default."
    )
    server_idle_seconds: int | None = Field(
        default=None, ge=0, le=86_400, description="After how many idle seconds a connection is closed; 600 by default."
    )

    @property
    def options(self) -> dict[str, object]:
        """Return what is asked for beside `enabled`, by the name of the server parameter."""
        named = {
            "pgbouncer.pool_mode": self.pool_mode,
            "pgbouncer.default_pool_size": self.default_pool_size,
            "pgbouncer.min_pool_size": self.min_pool_size,
            "pgbouncer.max_client_conn": self.max_client_connections,
            "pgbouncer.max_prepared_statements": self.max_prepared_statements,
            "pgbouncer.query_wait_timeout": self.query_wait_seconds,
            "pgbouncer.server_idle_timeout": self.server_idle_seconds,
        }
        return {name: value for name, value in named.items() if value is not None}


def named_parameters(minimum_tls: str | None, pgbouncer: PgBouncerSettings | None) -> dict[str, tuple[str, object]]:
    """Return the server parameters that settings have names for: where the setting is below `server`, and the value."""
    found: dict[str, tuple[str, object]] = {}
    if minimum_tls is not None:
        found["ssl_min_protocol_version"] = ("minimumTls", minimum_tls)
    if pgbouncer is not None:
        found[POOLER_SWITCH] = ("pgbouncer", pgbouncer.enabled)
        found |= {name: ("pgbouncer", value) for name, value in pgbouncer.options.items()}
    return found
