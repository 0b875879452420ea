"""Refusals of the data planes, with the bodies that the services send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web


class ServiceError(Exception):
    """A request that a service refuses.

    Attributes:
        status: The HTTP status.
        body: The JSON body, as the service sends it.
        headers: Headers beyond the content type.
    """

    def __init__(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def __reduce__(self) -> tuple[type[ServiceError], tuple[int, Mapping[str, Any], Mapping[str, str]]]:
        """Make it cross from one process to another; an exception's own way passes the message only."""
        return (type(self), (self.status, self.body, self.headers))

    def response(self) -> web.Response:
        """Return the HTTP answer."""
        return web.Response(
            status=self.status, body=orjson.dumps(self.body), content_type="application/json", headers=self.headers
        )


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> ServiceError:
    """Return an error in the form of the gateways in front of the services: a code and a message."""
    return ServiceError(status, {"error": {"code": code, "message": message}}, headers)


def invalid_request(message: str, code: str | None = None, kind: str = "invalid_request_error") -> ServiceError:
    """Return a 400 in the form of the models behind Azure OpenAI."""
    return ServiceError(400, {"error": {"message": message, "type": kind, "param": None, "code": code}})


def invalid_language_request(message: str, inner_code: str, inner_message: str) -> ServiceError:
    """Return a 400 in the form of Azure AI Language: the reason is in `innererror`."""
    inner = {"code": inner_code, "message": inner_message}
    return ServiceError(400, {"error": {"code": "InvalidRequest", "message": message, "innererror": inner}})


def resource_not_found() -> ServiceError:
    """Return the answer to a path or an api-version that the service does not know."""
    return refusal(404, "404", "Resource not found")
