"""A way to connect from another address of this machine, which a gateway takes for the internet."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ELSEWHERE = "127.0.0.2"


@contextmanager
def from_elsewhere(port: int) -> Iterator[int]:
    """Pass a port on: whoever connects to the one that is yielded comes to `port` from ELSEWHERE.

    PostgreSQL's clients cannot choose the address that they come from.
    """

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port), source_address=(ELSEWHERE, 0)) as onward:
                other = {self.request: onward, onward: self.request}
                while True:
                    for one in select.select(list(other), [], [])[0]:
                        data = one.recv(65536)
                        if not data:
                            return
                        other[one].sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
