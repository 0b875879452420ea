"""A small stand-in for the program curl, for machines without it: `curl.py -q --config -`.

It understands the options that the stand-in extension writes, and no others. Standard library only, so any Python runs
it. The exit codes are curl's own (man page, "EXIT CODES").
"""

import http.client
import os
import re
import signal
import socket
import ssl
import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

_FLAGS = frozenset(["silent", "show-error", "http1.1", "globoff"])
_LINE = re.compile(r'([a-z0-9.-]+)(?: = "((?:[^"\\]|\\.)*)")?')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BAD_USAGE, _CONNECT_FAILED, _TIMED_OUT, _BAD_CERTIFICATE, _RECEIVE_FAILED = 2, 7, 28, 60, 56


class _Failure(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class _Options:
    single: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def _options(config: str) -> _Options:
    options = _Options()
    for line in config.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise _Failure(_BAD_USAGE, "a line of the config is not understood")
        name = match[1]
        value = re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match[2] or "")
        if name == "header":
            header, _, content = value.partition(":")
            if content.strip():  # a header without a value is one that curl leaves out
                options.headers[header] = content.strip()
        elif name in {"url", "data-binary", "connect-to", "cacert", "max-time", "noproxy", "write-out"} | _FLAGS:
            options.single[name] = value
        else:
            raise _Failure(_BAD_USAGE, f"option {name}: is unknown")
    return options


def _connect(options: _Options) -> tuple[http.client.HTTPConnection, str]:
    """Return a connection that is open, and the path to ask it for."""
    url = urlsplit(options.single["url"])
    host = url.hostname or ""
    secure = url.scheme == "https"
    address, port = host, url.port or (443 if secure else 80)
    if "connect-to" in options.single:
        address, _, other = options.single["connect-to"].removeprefix("::").rpartition(":")
        port = int(other)
    try:
        plain = socket.create_connection((address, port))
    except OSError as error:
        raise _Failure(_CONNECT_FAILED, f"Failed to connect to {address} port {port}: {error.strerror}") from None
    connection = http.client.HTTPConnection(host, url.port)
    connection.sock = plain
    if secure:
        try:
            context = ssl.create_default_context(cafile=options.single.get("cacert"))
            connection.sock = context.wrap_socket(plain, server_hostname=host)
        except OSError as error:
            raise _Failure(_BAD_CERTIFICATE, f"SSL certificate problem: {error}") from None
    return connection, url.path + (f"?{url.query}" if url.query else "")


def _send(options: _Options) -> None:
    """Send the request and write the answer's body and `write-out` to standard output."""
    connection, path = _connect(options)
    body = None
    if "data-binary" in options.single:
        with open(options.single["data-binary"].removeprefix("@"), "rb") as file:  # noqa: PTH123 - may be a pipe
            body = file.read()
    try:
        connection.request("GET" if body is None else "POST", path, body, options.headers)
        response = connection.getresponse()
        sys.stdout.buffer.write(response.read())
    except (OSError, http.client.HTTPException) as error:
        raise _Failure(_RECEIVE_FAILED, f"Failure when receiving data from the peer: {error}") from None
    sys.stdout.write(options.single.get("write-out", "").replace("%{http_code}", f"{response.status:03}"))


def _time_is_up(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Failure(_TIMED_OUT, "Operation timed out")


def main() -> int:
    """Run one request and return the exit code."""
    if sys.argv[1:] != ["-q", "--config", "-"]:
        sys.stderr.write("curl: (2) only `-q --config -` is understood\n")
        return _BAD_USAGE
    try:
        options = _options(sys.stdin.read())
        signal.signal(signal.SIGALRM, _time_is_up)
        signal.setitimer(signal.ITIMER_REAL, float(options.single.get("max-time") or 0))
        _send(options)
    except _Failure as failure:
        sys.stderr.write(f"curl: ({failure.code}) {failure}\n")
        return failure.code
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Interpreter clean-up is left out: PostgreSQL is waiting.
    os._exit(code)
