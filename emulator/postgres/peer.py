"""One end of a connection through the gateway: read step by step first, then pumped to the other end."""

from __future__ import annotations

import asyncio
import struct

from emulator.postgres.wire import ProtocolViolation

_HELD_BYTES = 1 << 16
"""How much is read ahead while nobody takes it."""

_WAITING_BYTES = 1 << 20
"""How much may wait to be sent before the other end is asked to pause."""

_CLOSE_SECONDS = 5.0


class Peer(asyncio.Protocol):
    """A transport's protocol with two modes: `read` and, after `pump_to`, forwarding with back-pressure."""

    def __init__(self) -> None:
        """Wait for a transport."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._arrived: asyncio.Future[None] | None = None
        self._target: Peer | None = None
        self._source: Peer | None = None
        self._full = False
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def transport(self) -> asyncio.Transport:
        """Return the transport; there is one from the moment the connection is made."""
        assert self._transport is not None  # noqa: S101 - asyncio calls connection_made before it returns a protocol
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # stream transports are the only ones used
        self.transport.set_write_buffer_limits(high=_WAITING_BYTES)

    def data_received(self, data: bytes) -> None:
        """Forward data, or hold it for `read`."""
        if self._target is not None:
            self._target.write(data)
            return
        self._buffer += data
        if len(self._buffer) > _HELD_BYTES:
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, _reason: Exception | None) -> None:
        """Close the end that this one is pumped to, after what it still has to send.

        An end that is still being read is closed by its reader, who may not have passed on the last message.
        """
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()
        if self._target is not None:
            self._target.close()

    def pause_writing(self) -> None:
        """Let the source wait: this end takes data more slowly than it comes."""
        self._full = True
        if self._source is not None:
            self._source.transport.pause_reading()

    def resume_writing(self) -> None:
        """Let the source go on."""
        self._full = False
        if self._source is not None:
            self._source.transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send data; on a closing connection it goes nowhere."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        """Close after what waits to be sent, and by force if the other side does not take it in time."""
        if self._transport is not None and not self.closed.done():
            self._transport.close()
            timer = self._loop.call_later(_CLOSE_SECONDS, self._transport.abort)
            self.closed.add_done_callback(lambda _: timer.cancel())

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    async def read(self, size: int) -> bytes:
        """Return exactly so many bytes.

        Raises:
            EOFError: The connection ended before.
        """
        while len(self._buffer) < size:
            if self.closed.done() or self.transport.is_closing():
                raise EOFError
            self._arrived = self._loop.create_future()
            self.transport.resume_reading()
            await self._arrived
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def read_message(self, maximum_bytes: int) -> tuple[bytes, bytes]:
        """Return the type and the body of one message.

        Raises:
            EOFError: The connection ended before.
            ProtocolViolation: It is longer than allowed.
        """
        kind, length = struct.unpack("!cI", await self.read(5))
        if not 4 <= length <= maximum_bytes + 4:
            raise ProtocolViolation(f"message {kind!r} of {length} bytes")
        return kind, await self.read(length - 4)

    def pump_to(self, target: Peer) -> None:
        """From now on forward all that comes, what is held first."""
        self._target, target._source = target, self
        if self._buffer:
            target.write(bytes(self._buffer))
            self._buffer.clear()
        if target._full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
        if self.closed.done():
            target.close()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
