"""Entra access tokens, made when they are needed and kept in this process only."""

import threading
import time

from database.errors import UnreachableError

_SPARE_SECONDS = 300  # a token this close to its end is not handed out any more
_lock = threading.Lock()
_kept: dict[str, tuple[str, float]] = {}  # scope -> (token, end as seconds since the epoch)


def token(scope: str) -> str:
    """Return an access token for the scope from the environment's identity (CLI, OIDC, managed identity).

    Raises:
        UnreachableError: nobody is signed in, or the identity service refused.
    """
    with _lock:
        kept = _kept.get(scope)
        if kept and kept[1] - time.time() > _SPARE_SECONDS:
            return kept[0]
        text, end = _fetch(scope)
        _kept[scope] = (text, end)
        return text


def _fetch(scope: str) -> tuple[str, float]:
    # Imported here: it takes a third of a second, and a preview, which starts this process too, needs no token.
    from azure.core.exceptions import AzureError  # noqa: PLC0415
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415

    try:
        got = DefaultAzureCredential().get_token(scope)
    except AzureError as error:  # nobody is signed in, refused, or the service cannot be reached
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        kind = type(error).__name__
    else:
        return got.token, float(got.expires_on)
    raise UnreachableError(
        f"no Entra token for {scope}: sign in (`az login`, or the workload identity of this runner) and run again. "
        f"The identity library said: {kind}: {reason}"
    ) from None
