"""Errors for people: what happened, where, what to do; never a secret, a parameter or a row's value."""

import re

import psycopg

_DATA_EXCEPTION = "22"  # SQLSTATE class whose messages quote the value that did not fit


class DatabaseError(Exception):
    """Something in or on the way to the database failed; the message is a sentence for the person who runs the program.

    Raise it `from None`: the traceback reaches the user, and a driver's exception may carry a conninfo, a parameter or
    a row's values.
    """


class UnreachableError(DatabaseError):
    """No session could be opened: the network, the firewall, the credentials or the server's state."""


def said(error: psycopg.Error) -> str:
    """Return what the server said: its primary message, hint and SQLSTATE, without details that quote rows."""
    primary = error.diag.message_primary
    if primary is None:
        return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    sqlstate = error.sqlstate or ""
    if sqlstate.startswith(_DATA_EXCEPTION):
        primary = re.sub(r'"[^"]*"', '"..."', primary)
    hint = f" Hint: {error.diag.message_hint}" if error.diag.message_hint else ""
    return f"{primary} (SQLSTATE {sqlstate}).{hint}"
