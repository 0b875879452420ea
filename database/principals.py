"""Who may sign in to a server beside its administrators, and what it may do: no more than it is given here.

Microsoft Entra principals are registered with functions that only database `postgres` has, and that only an Entra
administrator may call (azure-databases-docs, "Manage Microsoft Entra roles"). A login with a password is for callers
that have no Entra identity. Roles are the server's, whatever database made them.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from database.connection import explained
from database.errors import DatabaseError

MAINTENANCE_DATABASE = "postgres"
"""The database that has the functions for Entra principals."""

_MADE_HERE = "made by postgres-genai"
"""The comment on a login, which tells it from one of a person that happens to have its name."""


@dataclass(frozen=True)
class Principal:
    """A role that can sign in: an Entra principal by its object id, or else a login with a password.

    Attributes:
        name: of the role.
        object_id: of the application or managed identity, or None.
        password: of the login, or None.
        roles: that it is a member of, and of no other.
        functions: that it may call, each as `schema.name(types)`; a right of their schemas goes along. Rights that it
            was given on other objects are not looked for.
    """

    name: str
    object_id: str | None = None
    password: str | None = field(default=None, repr=False)
    roles: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PrincipalState:
    """What the catalog says about a principal; `object_id` is None for one that has none."""

    object_id: str | None
    roles: frozenset[str]
    functions: frozenset[str]


def read(server: psycopg.Connection, database: psycopg.Connection, wanted: Principal) -> PrincipalState | None:
    """Return what the catalog says; None when there is no such role.

    Args:
        server: to database `postgres` of the server.
        database: to the database that the functions are in.
        wanted: the principal; of functions, only those that it should have are looked at.
    """
    with explained(f"looking for principal {wanted.name}"):
        if server.execute("SELECT FROM pg_roles WHERE rolname = %s", [wanted.name]).fetchone() is None:
            return None
        rows = server.execute(
            "SELECT r.rolname FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid "
            "WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = %s)",
            [wanted.name],
        ).fetchall()
        callable_ones = database.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regprocedure(name) IS NOT NULL "
            "AND has_function_privilege(%s, to_regprocedure(name), 'EXECUTE')",
            [sorted(wanted.functions), wanted.name],
        ).fetchall()
    roles, functions = (frozenset(str(row[0]) for row in found) for found in (rows, callable_ones))
    return PrincipalState(_object_id(server, wanted.name) if wanted.object_id else None, roles, functions)


def ensure(server: psycopg.Connection, database: psycopg.Connection, wanted: Principal) -> bool:
    """Make the role, or adopt the one that is there, and give it its rights; memberships too many are taken away.

    Args:
        server: to database `postgres` of the server.
        database: to the database that the functions are in.
        wanted: what there should be.

    Returns:
        Whether this call made the role.

    Raises:
        DatabaseError: the role is somebody else's, a right cannot be given or taken, or the caller may not do it.
    """
    there = read(server, database, wanted)
    if there is None:
        _create(server, wanted)
    elif there.object_id != (wanted.object_id and wanted.object_id.lower()):
        owner = f"the principal {there.object_id}" if there.object_id else "no Entra principal"
        raise DatabaseError(
            f"role {wanted.name} is there already and belongs to {owner}, not to {wanted.object_id}: if nobody needs "
            f'it, DROP ROLE "{wanted.name}" and run again.'
        )
    elif wanted.object_id is None and not _made_here(server, wanted.name):
        raise DatabaseError(
            f"role {wanted.name} is there already, and this program did not make it: if nobody needs it, "
            f'DROP ROLE "{wanted.name}" and run again.'
        )
    elif wanted.password is not None:
        _set_password(server, wanted)
    _give(server, database, wanted, there.roles if there else ())
    now = read(server, database, wanted)
    if now is None or now.roles != wanted.roles or now.functions != wanted.functions:
        have = ", ".join(sorted(now.roles | now.functions)) if now else "nothing"
        raise DatabaseError(
            f"principal {wanted.name} has {have or 'no right'} and should have "
            f"{', '.join(sorted(wanted.roles | wanted.functions)) or 'none'}: another user than this one gave or holds "
            f"that right; let that user take it back, and run again."
        )
    return there is None


def drop(server: psycopg.Connection, database: psycopg.Connection, wanted: Principal) -> None:
    """Drop the role; nothing happens where there is none.

    Raises:
        DatabaseError: it owns something, which somebody has to look at first.
    """
    there = read(server, database, wanted)
    if there is None:
        return
    with explained(f"dropping principal {wanted.name}"):
        role = sql.Identifier(wanted.name)
        for function in sorted(there.functions & wanted.functions):
            database.execute(sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM {}").format(sql.SQL(function), role))
        for schema in _schemas(wanted.functions):
            if database.execute("SELECT to_regnamespace(quote_ident(%s))", [schema]).fetchone() != (None,):
                database.execute(sql.SQL("REVOKE USAGE ON SCHEMA {} FROM {}").format(sql.Identifier(schema), role))
        server.execute(sql.SQL("DROP ROLE {}").format(role))


def _create(server: psycopg.Connection, wanted: Principal) -> None:
    with explained(f"making principal {wanted.name}"):
        if wanted.object_id is not None:
            server.execute(
                "SELECT pgaadauth_create_principal_with_oid(%s, %s, 'service', false, false)",
                [wanted.name, wanted.object_id],
            )
        else:
            role = sql.Identifier(wanted.name)
            with server.transaction():
                server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
                server.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(role, sql.Literal(_MADE_HERE)))
                _set_password(server, wanted)


def _made_here(server: psycopg.Connection, name: str) -> bool:
    with explained(f"reading the comment on role {name}"):
        row = server.execute(
            "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s", [name]
        ).fetchone()
    return row == (_MADE_HERE,)


def _set_password(server: psycopg.Connection, wanted: Principal) -> None:
    """Send the verifier and not the password, which the server's log could hold."""
    with explained(f"setting the password of {wanted.name}"):
        verifier = server.pgconn.encrypt_password(
            (wanted.password or "").encode(), wanted.name.encode(), b"scram-sha-256"
        )
        server.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(wanted.name), sql.Literal(verifier.decode("ascii"))
            )
        )


def _give(
    server: psycopg.Connection, database: psycopg.Connection, wanted: Principal, has_roles: Collection[str]
) -> None:
    role = sql.Identifier(wanted.name)
    with explained(f"giving principal {wanted.name} its rights"):
        for extra in sorted(set(has_roles) - wanted.roles):
            server.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(extra), role))
        for missing in sorted(wanted.roles - set(has_roles)):
            server.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(missing), role))
        for schema in _schemas(wanted.functions):
            database.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), role))
        for function in sorted(wanted.functions):
            database.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), role))


def _object_id(server: psycopg.Connection, name: str) -> str | None:
    with explained(f"looking for the Entra principal of role {name}"):
        row = server.execute(
            "SELECT lower(objectid) FROM pgaadauth_list_principals(false) WHERE rolename = %s", [name]
        ).fetchone()
    return str(row[0]) if row else None


def _schemas(functions: Collection[str]) -> list[str]:
    return sorted({function.partition(".")[0] for function in functions})
