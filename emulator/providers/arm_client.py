"""Requests to Resource Manager, and the wait for what takes long.

Follows pulumi-azure-native provider/pkg/azure/client_azcore.go and azcore's pollers: a PUT that answers with
`Azure-AsyncOperation` is polled there and then read; one that answers with `Location` alone is polled until that
answers something else than 202. A conflict is tried again only when its code is `AnotherOperationInProgress`: the real
provider does not retry `ServerIsBusy` or `RequestConflict` (shouldRetryConflict in the same file), so programs must put
children in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter

Json = dict[str, Any]

DEFAULT_TIMEOUT_SECONDS = 2 * 3600.0
"""How long an operation may take unless the program says otherwise (azureContext in provider.go)."""

_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_ATTEMPTS = 4
# The real provider begins at 20 s and polls every 10 s, to spare a service that thousands share; this one is its own.
_RETRY_SECONDS = 0.2
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 60.0
_CONNECTIONS = 64


class ArmError(Exception):
    """A refusal or a failure, worded as the real provider words it.

    Attributes:
        status: The HTTP status of the answer that said so.
        code: ARM's code, for example `ServerIsBusy`.
        accepted: Whether ARM had accepted the request and failed later, so that the resource may exist in part.
    """

    def __init__(self, status: int, code: str, message: str, *, accepted: bool = False) -> None:
        shown = f' Code="{code}"' if code else ""
        super().__init__(f'Status={status}{shown} Message="{message}"')
        self.status = status
        self.code = code
        self.accepted = accepted


class ArmUnavailable(Exception):
    """No answer from Resource Manager; the message says where and what to do."""


class Interrupted(Exception):
    """The wait ended before the operation did: by the engine's cancel, or by the time limit."""

    def __init__(self, reason: str, *, accepted: bool) -> None:
        super().__init__(reason)
        self.accepted = accepted


@dataclass
class Patience:
    """How long to wait for one operation, and what ends the wait early."""

    seconds: float = DEFAULT_TIMEOUT_SECONDS
    cancelled: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + (self.seconds or DEFAULT_TIMEOUT_SECONDS)

    def pause(self, seconds: float, *, accepted: bool) -> None:
        """Wait.

        Raises:
            Interrupted: The engine cancelled, or the time is up.
        """
        if self.cancelled.wait(min(seconds, max(0.0, self._end - time.monotonic()))):
            raise Interrupted("the operation was cancelled", accepted=accepted)
        if time.monotonic() >= self._end:
            raise Interrupted("operation timed out", accepted=accepted)


class ArmClient:
    """Resource Manager over HTTPS; may be used from several threads."""

    def __init__(self, endpoint: str, ca_file: Path, token: Callable[[], str]) -> None:
        """Create a client.

        Args:
            endpoint: For example `https://127.0.0.1:8443`; polling addresses are followed there and nowhere else.
            ca_file: The certificate authority that the endpoint's certificate is checked against.
            token: Returns a token for Resource Manager.
        """
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._session = requests.Session()
        # Proxies and bundles of the environment are for the world outside; this endpoint is on this machine.
        self._session.trust_env = False
        self._session.verify = str(ca_file)
        self._session.mount(self._endpoint, HTTPAdapter(pool_maxsize=_CONNECTIONS))

    def get(self, resource_id: str, api_version: str, patience: Patience | None = None) -> Json:
        """Return a resource.

        Raises:
            ArmError: It is not there, or ARM refuses.
        """
        return _body(_expect(self._send("GET", resource_id, api_version, patience or Patience())))

    def post(self, resource_id: str, api_version: str, body: Mapping[str, Any] | None = None) -> Json:
        """Return the answer of an action that answers at once."""
        return _body(_expect(self._send("POST", resource_id, api_version, Patience(), body or {})))

    def check_absent(self, resource_id: str, api_version: str, *, singleton: bool) -> None:
        """Refuse what exists already, since ARM cannot tell a creation from an update.

        Raises:
            AlreadyExists: There is such a resource.
        """
        response = self._send("GET", resource_id, api_version, Patience())
        if response.status_code == requests.codes.not_found or (response.ok and (singleton or not _body(response))):
            return
        if response.ok:
            raise AlreadyExists(f"cannot create already existing resource '{resource_id}'")
        text = (
            f"cannot check existence of resource '{resource_id}': status code {response.status_code}, {response.text}"
        )
        raise AlreadyExists(text)

    def put(self, resource_id: str, api_version: str, body: Mapping[str, Any], patience: Patience) -> Json:
        """Make a resource what the body says, and wait for it.

        Returns:
            The resource.

        Raises:
            ArmError: ARM refuses, or the operation fails.
            Interrupted: The wait was cut short.
        """
        response = _expect(self._send("PUT", resource_id, api_version, patience, body))
        finished = self._wait(response, api_version, patience)
        if finished is None:
            return _body(response)
        return (
            _body(finished)
            if finished.content and finished is not response
            else self._final(resource_id, api_version, patience)
        )

    def delete(self, resource_id: str, api_version: str, patience: Patience) -> None:
        """Delete a resource and wait until it is gone; one that is gone already is no error."""
        try:
            self._wait(_expect(self._send("DELETE", resource_id, api_version, patience)), api_version, patience)
        except ArmError as error:
            if error.status != requests.codes.not_found:
                raise

    def _final(self, resource_id: str, api_version: str, patience: Patience) -> Json:
        try:
            return self.get(resource_id, api_version, patience)
        except ArmError as error:
            error.accepted = True
            raise

    def _wait(self, response: requests.Response, api_version: str, patience: Patience) -> requests.Response | None:
        """Wait for an operation.

        Returns:
            None when there was none; the answer with the result; or an empty one when the resource has to be read.
        """
        operation = response.headers.get("Azure-AsyncOperation")
        address = operation or (
            response.headers.get("Location") if response.status_code == requests.codes.accepted else None
        )
        if not address:
            return None
        pause = response
        while True:
            patience.pause(_delay(pause, _POLL_SECONDS), accepted=True)
            pause = _expect(self._follow(address, api_version, patience), accepted=True)
            if not operation:
                if pause.status_code != requests.codes.accepted:
                    return pause
                continue
            status = str(_body(pause).get("status", ""))
            if status.lower() == "succeeded":
                return requests.Response()
            if status.lower() in ("failed", "canceled", "cancelled"):
                raise _error(pause, accepted=True)

    def _follow(self, address: str, api_version: str, patience: Patience) -> requests.Response:
        # Only the path of the address counts, so that a token never leaves for another host.
        parts = urlsplit(address)
        version = parse_qs(parts.query).get("api-version", [api_version])[0]
        rest = {name: values[0] for name, values in parse_qs(parts.query).items() if name != "api-version"}
        return self._send("GET", parts.path, version, patience, query=rest)

    def _send(
        self,
        method: str,
        path: str,
        api_version: str,
        patience: Patience,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> requests.Response:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = self._session.request(
                    method,
                    f"{self._endpoint}{path}",
                    params={"api-version": api_version, **(query or {})},
                    json=body,
                    headers={"Authorization": f"Bearer {self._token()}", "Accept": "application/json"},
                    timeout=_ANSWER_SECONDS,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise ArmUnavailable(
                    f"Resource Manager of the emulator at {self._endpoint} does not answer ({type(error).__name__}). "
                    "`python -m emulator status` says whether it runs; `python -m emulator start` starts it."
                ) from None
            if attempt == _ATTEMPTS or not _worth_retrying(response):
                break
            patience.pause(_delay(response, _RETRY_SECONDS * 2**attempt), accepted=False)
        return response


class AlreadyExists(Exception):
    """A resource that a program wants to create is there; the message names it."""


def _worth_retrying(response: requests.Response) -> bool:
    if response.status_code == requests.codes.conflict:
        return _error(response).code == "AnotherOperationInProgress"
    return response.status_code in _RETRIED


def _expect(response: requests.Response, *, accepted: bool = False) -> requests.Response:
    if response.ok:
        return response
    raise _error(response, accepted=accepted)


def _error(response: requests.Response, *, accepted: bool = False) -> ArmError:
    """Return what an answer says went wrong (newResponseError in client_azcore.go)."""
    error = _body(response).get("error")
    found = error if isinstance(error, dict) else {}
    code = response.headers.get("x-ms-error-code") or str(found.get("code") or "")
    return ArmError(response.status_code, code, str(found.get("message") or response.text), accepted=accepted)


def _body(response: requests.Response) -> Json:
    try:
        parsed = response.json() if response.content else {}
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _delay(response: requests.Response, otherwise: float) -> float:
    for header, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("Retry-After", 1.0)):
        try:
            return max(0.0, float(response.headers[header]) * unit)
        except (KeyError, ValueError):
            continue
    return otherwise
