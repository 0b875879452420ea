"""DatabaseServer: a server as the rest of a stack uses it, whether the stack made it or it was there."""

from __future__ import annotations

from typing import Any

import pulumi

from components.cloud import Cloud


class DatabaseServer(pulumi.ComponentResource):
    """What every server gives.

    Attributes:
        server_id: its ARM id.
        deleted_with: what takes all that is inside the server along when it is deleted; None where the server stays,
            and everything has to be deleted by itself.
        ready: whoever runs SQL depends on it.
        principals: object ids of its identity and of its replicas', by the names that the AI accounts take.
        connection: what a dynamic resource needs to connect, without the password.
        password: password of `connection`'s user (a secret), or None where it signs in with Entra.
        administrator_password: password of the password administrator (a secret), or None where there is none.
        replica_ids: ARM ids of its read replicas that the stack made, by name.
        exports: what the stack says about the server.
    """

    server_id: pulumi.Output[str]
    deleted_with: pulumi.Resource | None
    ready: pulumi.Resource
    principals: dict[str, Any]
    connection: dict[str, pulumi.Input[str]]
    password: pulumi.Output[str] | None
    administrator_password: pulumi.Output[str] | None
    replica_ids: dict[str, pulumi.Output[str]]
    exports: dict[str, Any]


def connection_to(
    host: pulumi.Input[str], database: pulumi.Input[str], user: str, cloud: Cloud, *, entra: bool
) -> dict[str, pulumi.Input[str]]:
    """Return what a dynamic resource needs to connect."""
    return {
        "host": host,
        "database": database,
        "user": user,
        "authentication": "entra" if entra else "password",
        "tokenScope": cloud.database_scope,
    }


def warn_of_another_principal(user: str, expected: str, signed_in: str) -> None:
    """Say early that PostgreSQL will refuse the token; members of a group cannot be told from here.

    Args:
        user: the principal that the program signs in to the database as.
        expected: its object id.
        signed_in: object id of the principal that this run is signed in to Azure as.
    """
    if expected.lower() != signed_in.lower():
        pulumi.log.warn(
            f"the program signs in to the database as {user!r} ({expected}), but this run is signed in to Azure"
            f" as {signed_in}: PostgreSQL will refuse it."
            f" Sign in as {user!r}, or set authentication.deployer or authentication.signInAs"
        )
