"""The settings of the `azure_ai` extension in one database: endpoints, and how to authenticate there.

They are rows of a table of the extension, so they are transactional, hold in this database only, and hold at once.
Keys go over as bind parameters, because literals land in server logs; they come back as digests only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import psycopg

from database.connection import explained
from database.errors import DatabaseError, said
from database.progress import progress

# MicrosoftDocs/azure-databases-docs, articles/postgresql: azure_ai extension, settings and managed identity.
_AUTHENTICATION = {"managed-identity": "managed-identity", "keys": "subscription-key"}
_SECRET = frozenset({"azure_openai.subscription_key", "azure_cognitive.subscription_key"})
OPENAI_KEYS = ("azure_openai.endpoint", "azure_openai.subscription_key", "azure_openai.auth_type")
LANGUAGE_KEYS = ("azure_cognitive.endpoint", "azure_cognitive.subscription_key", "azure_cognitive.auth_type")
_KEYS = (*OPENAI_KEYS, *LANGUAGE_KEYS)


@dataclass(frozen=True)
class AzureAiSettings:
    """What azure_ai is to call and how it authenticates there."""

    openai_endpoint: str
    authentication: str  # "managed-identity" | "keys"
    openai_key: str | None = field(default=None, repr=False)
    language_endpoint: str | None = None
    language_key: str | None = field(default=None, repr=False)

    def values(self) -> dict[str, str]:
        """Return the settings by azure_ai's own keys, in the order to set them: credentials first, then auth_type."""
        values = _service("azure_openai", self.openai_endpoint, self.openai_key, self.authentication)
        if self.language_endpoint:
            values |= _service("azure_cognitive", self.language_endpoint, self.language_key, self.authentication)
        return values


@dataclass(frozen=True)
class AppliedSettings:
    """What the database has: like AzureAiSettings, with SHA-256 digests in place of keys; None where nothing is set."""

    openai_endpoint: str | None
    openai_authentication: str | None
    openai_key_sha256: str | None
    language_endpoint: str | None
    language_authentication: str | None
    language_key_sha256: str | None


def apply(conn: psycopg.Connection, settings: AzureAiSettings, *, unset: Iterable[str] = ()) -> None:
    """Write the settings in one transaction, and empty the keys of `unset` that they do not have.

    Raises:
        DatabaseError: the extension is missing, the user may not set it, or it does not know a setting.
    """
    values = settings.values()
    if settings.authentication == "managed-identity":
        unset = {*unset, *_SECRET}
    with conn.transaction():
        for key, value in values.items():
            _set(conn, key, value)
        _empty(conn, [key for key in _KEYS if key in set(unset) and key not in values])


def clear(conn: psycopg.Connection, keys: Iterable[str] = _KEYS) -> None:
    """Set what is set to the empty string.

    How azure_ai unsets a value is documented nowhere, so this says what it does instead of promising more.
    """
    with conn.transaction():
        _empty(conn, keys)
    progress(
        f"azure_ai in database {conn.info.dbname}: endpoints and keys are set to empty (the extension documents no "
        f"way to unset them)"
    )


def read(conn: psycopg.Connection) -> AppliedSettings | None:
    """Return what is set, with digests of the keys made by the server; None where the extension is not installed."""
    with explained("reading the settings of azure_ai"):
        if conn.execute("SELECT to_regprocedure('azure_ai.get_setting(text)')").fetchone() == (None,):
            return None
        rows = conn.execute(
            "SELECT key, CASE WHEN key = ANY(%s) THEN encode(sha256(convert_to(value, 'UTF8')), 'hex') ELSE value END "
            "FROM unnest(%s::text[]) AS key, LATERAL (SELECT nullif(azure_ai.get_setting(key), '') AS value) AS "
            "setting",
            [list(_SECRET), list(_KEYS)],
        ).fetchall()
    values: Mapping[str, str | None] = dict(rows)
    names = {service: name for name, service in _AUTHENTICATION.items()}

    def authentication(key: str) -> str | None:
        value = values.get(key)
        return names.get(value, value) if value else None

    return AppliedSettings(
        openai_endpoint=values.get("azure_openai.endpoint"),
        openai_authentication=authentication("azure_openai.auth_type"),
        openai_key_sha256=values.get("azure_openai.subscription_key"),
        language_endpoint=values.get("azure_cognitive.endpoint"),
        language_authentication=authentication("azure_cognitive.auth_type"),
        language_key_sha256=values.get("azure_cognitive.subscription_key"),
    )


def _service(service: str, endpoint: str, key: str | None, authentication: str) -> dict[str, str]:
    values = {f"{service}.endpoint": endpoint.rstrip("/")}
    if authentication == "keys":
        if not key:
            raise DatabaseError(f"{service}: authentication by keys needs the account's key.")
        values[f"{service}.subscription_key"] = key
    return values | {f"{service}.auth_type": _AUTHENTICATION[authentication]}


def _set(conn: psycopg.Connection, key: str, value: str) -> None:
    try:
        conn.execute("SELECT azure_ai.set_setting(%s::text, %s::text)", [key, value])
    except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName):
        message = (
            f"extension azure_ai is not enabled in database {conn.info.dbname}: add azure_ai to "
            f"`postgres-genai:extensions` and run `pulumi up` again."
        )
    except psycopg.errors.InsufficientPrivilege:
        message = (
            f"{conn.info.user} may not change the settings of azure_ai: it has to be an administrator of the server, "
            f"or a member of azure_ai_settings_manager."
        )
    except psycopg.Error as error:
        message = (
            f"azure_ai in database {conn.info.dbname} refused the setting {key}: {said(error)} An old version of the "
            f"extension knows fewer settings: see `SELECT azure_ai.version()`."
        )
    else:
        return
    raise DatabaseError(message) from None


def _empty(conn: psycopg.Connection, keys: Iterable[str]) -> None:
    with explained("emptying settings of azure_ai"):
        conn.execute(
            "SELECT azure_ai.set_setting(key, '') FROM unnest(%s::text[]) AS key "
            "WHERE nullif(azure_ai.get_setting(key), '') IS NOT NULL",
            [list(keys)],
        )
