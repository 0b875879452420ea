"""What a client sends before TLS, read so that nothing of what follows is taken."""

from __future__ import annotations

import asyncio
import socket


async def peek(client: socket.socket) -> bytes:
    """Return the first byte that a client sends, leaving it there for TLS.

    Raises:
        EOFError: The client sent nothing.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            first = client.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            readable = asyncio.Event()
            loop.add_reader(client, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(client)
            continue
        if not first:
            raise EOFError
        return first


async def receive(client: socket.socket, size: int) -> bytes:
    """Return exactly so many bytes, and take no more: what follows may be TLS.

    Raises:
        EOFError: The client closed before.
    """
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        chunk = await loop.sock_recv(client, size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data
