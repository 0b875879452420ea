"""One small embedding call that proves azure_ai's settings: endpoint, credentials, role, deployment, dimensions."""

import re
import time
from dataclasses import dataclass

import psycopg

from database.azure_ai import AppliedSettings, read
from database.errors import DatabaseError, said
from database.progress import Ticker

_POLL_SECONDS = 5.0
_CALL_TIMEOUT_MS = 30_000
# The form is `<schema>.<function>: <status or code>: <message>`; which code a failure of the network has is unverified.
_ANSWER = re.compile(r"create_embeddings: (?P<code>[^:\s]+): ?(?P<message>.*)", re.DOTALL)
_REFUSED = frozenset({"401", "403", "PermissionDenied", "Unauthorized", "Forbidden"})
_NO_DEPLOYMENT = frozenset({"404", "DeploymentNotFound", "NotFound"})
_BUSY = frozenset({"408", "429", "500", "502", "503", "504", "TooManyRequests", "RateLimitReached"})


@dataclass(frozen=True)
class _Verdict:
    """What an answer means: how long it is worth asking again, and what a person can do."""

    patience_seconds: float
    advice: str


def verify(
    conn: psycopg.Connection, deployment: str, dimensions: int | None = None, *, timeout_seconds: float = 300
) -> int:
    """Embed one word and return the number of dimensions that came back.

    Refusals are asked again while they may pass: a role takes minutes to spread, a deployment takes up to one.

    Args:
        conn: a connection to the database whose settings are to be proved.
        deployment: name of the model deployment.
        dimensions: how many dimensions it has to give, on its own or when asked for them.
        timeout_seconds: how long to go on asking at most.

    Raises:
        DatabaseError: with the service's answer and what to do.
    """
    start = time.monotonic()
    ticker = Ticker()
    while True:
        try:
            return _embed(conn, deployment, dimensions)
        except psycopg.Error as error:
            answer = said(error)
            verdict = _judge(error, read(conn))
        waited = time.monotonic() - start
        limit = min(verdict.patience_seconds, timeout_seconds)
        if waited + _POLL_SECONDS > limit:
            tried = f" Asked for {waited:.0f} s." if limit else ""
            raise DatabaseError(
                f"azure_ai in database {conn.info.dbname} cannot embed with deployment {deployment}: {verdict.advice} "
                f"The service said: {answer}{tried}"
            ) from None
        ticker.tick(f"waiting for deployment {deployment} to answer: {answer}")
        time.sleep(_POLL_SECONDS)


def _embed(conn: psycopg.Connection, deployment: str, dimensions: int | None) -> int:
    got = _size(conn, deployment, None)
    if dimensions is None or got == dimensions:
        return got
    try:
        shortened = _size(conn, deployment, dimensions)
    except psycopg.Error:
        shortened = got
    if shortened != dimensions:
        raise DatabaseError(
            f"deployment {deployment} gives {got} dimensions and not the {dimensions} that the stack asks for: change "
            f"the job's `dimensions`, or the deployment's model under `postgres-genai:deployments`."
        )
    return shortened


def _size(conn: psycopg.Connection, deployment: str, dimensions: int | None) -> int:
    row = conn.execute(
        "SELECT cardinality(azure_openai.create_embeddings(deployment_name => %s::text, input => 'ping'::text, "
        "dimensions => %s::integer, timeout_ms => %s::integer, max_attempts => 1))",
        [deployment, dimensions, _CALL_TIMEOUT_MS],
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _judge(error: psycopg.Error, settings: AppliedSettings | None) -> _Verdict:
    answer = _ANSWER.search(error.diag.message_primary or "")
    code = answer["code"] if answer else ""
    endpoint = settings.openai_endpoint if settings else None
    if code in _REFUSED:
        return _refused(settings, endpoint)
    if code in _NO_DEPLOYMENT:
        return _Verdict(
            60,
            f"the account at {endpoint} has no deployment of this name: add it under `postgres-genai:deployments`, or "
            f"correct the name.",
        )
    if code in _BUSY:
        return _Verdict(120, "the deployment is busy: give it more capacity, or run `pulumi up` again later.")
    if code.isdigit():
        return _Verdict(0, "the service refused the request.")
    if isinstance(error, psycopg.errors.UndefinedFunction | psycopg.errors.InvalidSchemaName):
        return _Verdict(
            0, "the extension azure_ai is not enabled in this database: add it to `postgres-genai:extensions`."
        )
    return _Verdict(
        60,
        f"the server could not reach {endpoint or 'the endpoint, which is not set'}: check the endpoint, the account's "
        f"public network access and the server's way out.",
    )


def _refused(settings: AppliedSettings | None, endpoint: str | None) -> _Verdict:
    if settings is not None and settings.openai_authentication == "keys":
        return _Verdict(
            0,
            f"{endpoint} refused the key: it was regenerated, or belongs to another account. `pulumi refresh` and "
            f"`pulumi up` take the present one; an account with local authentication switched off takes no key at all.",
        )
    return _Verdict(
        float("inf"),
        f"{endpoint} refused the server's identity: it needs the role `Cognitive Services OpenAI User` on that "
        f"account, which takes some minutes to spread, and a server whose identity was just switched on may need a "
        f"restart. Run `pulumi up` again; nothing is lost.",
    )
