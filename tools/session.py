"""A connection to the stack's database, as the user that the stack's outputs name."""

from __future__ import annotations

import json
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tools.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from database.connection import ConnectionSpec
    from tools.pulumi import Pulumi

T = TypeVar("T")

SIGNS_IN = "pulumi-python:dynamic/postgresql:"  # type tokens of the resources inside the database


def specification(pulumi: Pulumi, outputs: dict[str, Any], *, timeout_seconds: int = 15) -> ConnectionSpec:
    """Return where and as whom to connect; this process takes on the stack's environment.

    Args:
        pulumi: the stack.
        outputs: its outputs.
        timeout_seconds: how long to wait for a connection.

    Raises:
        Failure: the stack is not up.
    """
    from database.connection import ConnectionSpec

    # A first `up` has no outputs before its end, and by then the state has known for long where the database is.
    connection = outputs.get("connection") or _recorded(pulumi)
    if not isinstance(connection, dict) or not connection.get("host"):
        raise Failure(
            f"The stack {pulumi.name} is not up: it has no database yet.", f"Bring it up: {pulumi.make('up')}"
        )
    os.environ.clear()
    os.environ.update(pulumi.environment)
    password = _password(pulumi) if connection["authentication"] == "password" else None
    return ConnectionSpec(
        host=connection["host"],
        database=connection["database"],
        user=connection["user"],
        authentication=connection["authentication"],
        token_scope=connection["tokenScope"],
        password=password,
        connect_timeout_seconds=timeout_seconds,
    )


def connect(
    pulumi: Pulumi, outputs: dict[str, Any], *, timeout_seconds: int = 15, patient: bool = True
) -> psycopg.Connection:
    """Connect to the stack's database.

    Args:
        pulumi: the stack.
        outputs: its outputs.
        timeout_seconds: how long to wait for a connection.
        patient: whether to try again, for some seconds and with a line each time, what may pass by itself.

    Raises:
        Failure: it cannot be reached; the text says why.
    """
    from database.connection import connect as open_connection
    from database.errors import DatabaseError

    try:
        wanted = specification(pulumi, outputs, timeout_seconds=timeout_seconds)
        return open_connection(wanted, pauses=None if patient else ())
    except DatabaseError as error:
        raise Failure(str(error)) from None


def credential(pulumi: Pulumi, outputs: dict[str, Any]) -> tuple[ConnectionSpec, str]:
    """Return where to connect, and the password or token to show there.

    Raises:
        Failure: no token is to be had.
    """
    from database.errors import DatabaseError
    from database.tokens import token

    spec = specification(pulumi, outputs)
    try:
        return spec, spec.password if spec.password is not None else token(spec.token_scope)
    except DatabaseError as error:
        raise Failure(str(error)) from None


def within(seconds: float, ask: Callable[[], T]) -> T:
    """Return what a question to the database answers, or give up.

    Args:
        seconds: how long to wait for the answer.
        ask: the question; it runs on in a thread of its own when it is late, and its answer is dropped.

    Raises:
        Failure: it answered too late, or with a failure.
    """
    answers: queue.Queue[tuple[T | None, Failure | None]] = queue.Queue()

    def run() -> None:
        try:
            answers.put((ask(), None))
        except Failure as failure:
            answers.put((None, failure))

    threading.Thread(target=run, name="question", daemon=True).start()
    try:
        answer, failure = answers.get(timeout=seconds)
    except queue.Empty:
        message = f"the database did not answer within {seconds:.0f} s"
        raise Failure(message) from None
    if failure:
        raise failure
    return cast("T", answer)


def _recorded(pulumi: Pulumi) -> object:
    """Return the connection of a resource that was made inside the database, or None before there is one."""
    return next((item["inputs"]["connection"] for item in pulumi.resources() if _signs_in(item)), None)


def _signs_in(resource: dict[str, Any]) -> bool:
    return str(resource.get("type")).startswith(SIGNS_IN) and "connection" in (resource.get("inputs") or {})


def _password(pulumi: Pulumi) -> str:
    """Read the password from the inputs of a resource that signs in with it; it is never an output."""
    deployment = pulumi.state(show_secrets=True).get("deployment") or {}
    for resource in deployment.get("resources") or []:
        secret = (resource.get("inputs") or {}).get("password")
        if str(resource.get("type")).startswith(SIGNS_IN) and secret:
            return str(json.loads(secret["plaintext"]) if isinstance(secret, dict) else secret)
    raise Failure(f"The state of the stack {pulumi.name} holds no password.", f"Bring it up: {pulumi.make('up')}")
