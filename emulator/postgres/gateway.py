"""The TLS front of all emulated servers: one port, routed by the host name in the TLS handshake.

libpq sends that name whenever `host` is a name; PGHOSTADDR, PGPORT and PGSSLROOTCERT in the environment lead a program
here with no change of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
import struct
import weakref
from collections import Counter
from collections.abc import Callable, Mapping

from emulator.arm.lookup import ServerView
from emulator.identity import Identity
from emulator.postgres import admission, wire
from emulator.postgres.admission import Refusal
from emulator.postgres.backend import BackendError
from emulator.postgres.configuration import SUPERUSER
from emulator.postgres.directory import Directory
from emulator.postgres.first_bytes import peek, receive
from emulator.postgres.peer import Peer

_log = logging.getLogger(__name__)

_AUTHENTICATION_SECONDS = 60.0
"""PostgreSQL's own authentication_timeout."""

_HANDSHAKE_SECONDS = 10.0
_SHUTDOWN_SECONDS = 5.0
_BACKLOG = 512
_PAUSE_SECONDS = 0.1
_MAXIMUM_MESSAGE_BYTES = 1 << 24
_REGULAR_CLOSE = (EOFError, ConnectionError, ssl.SSLError, asyncio.TimeoutError)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, on a free port for 0.

    Raises:
        OSError: The port is taken.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class Gateway:
    """Accept clients, admit or refuse them as the service does, and connect them to their server.

    Users whose role belongs to an Entra principal send a token as their password; the gateway checks it and connects
    over the server's trusted socket. All others go on to the server's TCP port, which asks for their password itself.
    """

    def __init__(
        self,
        directory: Directory,
        identity: Identity,
        ssl_context: ssl.SSLContext,
        changed: Callable[[Mapping[str, int]], None] | None = None,
    ) -> None:
        """Take the context over: the gateway sets its server name callback and its application protocol.

        Args:
            directory: Where the servers are.
            identity: Whose tokens are accepted.
            ssl_context: With the certificate of all servers.
            changed: Is told how many sessions each server has whenever that changes.
        """
        self._directory = directory
        self._identity = identity
        self._changed = changed
        self._context = ssl_context
        self._names: weakref.WeakKeyDictionary[ssl.SSLObject | ssl.SSLSocket, str] = weakref.WeakKeyDictionary()
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancel_keys: dict[bytes, str] = {}
        self._open: Counter[str] = Counter()
        ssl_context.sni_callback = self._remember_name
        ssl_context.set_alpn_protocols(["postgresql"])

    @property
    def connections(self) -> Mapping[str, int]:
        """Return how many sessions each server has at present."""
        return +self._open

    def start(self, listener: socket.socket) -> None:
        """Serve whoever connects to a socket that listens; it is closed with the gateway."""
        listener.setblocking(False)
        self._listener = listener
        self._accepting = asyncio.create_task(self._accept(listener))

    async def stop(self) -> None:
        """Stop listening and end every session."""
        tasks = [task for task in (self._accepting, *self._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        self._listener = self._accepting = None

    async def _accept(self, listener: socket.socket) -> None:
        """Accept clients until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(listener)
            except OSError as error:  # out of file descriptors: those in use are given back some time
                _log.warning("cannot accept a connection: %s", error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            task = asyncio.create_task(self._serve(client, str(address[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket, address: str) -> None:
        """Serve one client from its first byte to its last."""
        connection = _Connection(address)
        try:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each connection waits 40 ms for an ACK
            async with asyncio.timeout(_AUTHENTICATION_SECONDS):
                if await self._encrypt(client, connection):
                    await self._open_session(connection)
            if connection.upstream is not None:
                await connection.client.closed
                await connection.upstream.closed
        except _REGULAR_CLOSE as error:
            _log.debug("connection of %s ended: %s", address, type(error).__name__)
        except wire.ProtocolViolation as error:
            _log.info("connection of %s broke the protocol: %s", address, error)
        finally:
            await connection.finish()
            client.close()

    async def _encrypt(self, client: socket.socket, connection: _Connection) -> bool:
        """Answer what comes before TLS, then start it; return False when the connection ends there."""
        loop = asyncio.get_running_loop()
        direct = await peek(client) == wire.TLS_HANDSHAKE
        while not direct:
            length, code = struct.unpack("!II", await receive(client, 8))
            if code == wire.SSL_REQUEST:
                await loop.sock_sendall(client, b"S")
                break
            if code == wire.GSS_REQUEST:
                await loop.sock_sendall(client, b"N")
                continue
            if not 8 <= length <= wire.MAXIMUM_STARTUP_BYTES:
                raise wire.ProtocolViolation(f"startup message of {length} bytes")
            body = await receive(client, length - 8)
            if code == wire.CANCEL_REQUEST:
                await self._cancel(struct.pack("!II", length, code) + body)
            else:
                await loop.sock_sendall(client, _refuse_plain(body, connection.address))
            return False
        transport, peer = await loop.connect_accepted_socket(
            Peer,
            client,
            ssl=self._context,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        connection.client = peer
        tls = transport.get_extra_info("ssl_object")
        if direct and tls.selected_alpn_protocol() != "postgresql":
            raise wire.ProtocolViolation("TLS from the first byte without the application protocol `postgresql`")
        connection.host = self._names.get(tls)
        return True

    async def _open_session(self, connection: _Connection) -> None:
        """Read the startup message, admit the client and connect it."""
        length, protocol = struct.unpack("!II", await connection.client.read(8))
        if not 8 <= length <= wire.MAXIMUM_STARTUP_BYTES:
            raise wire.ProtocolViolation(f"startup message of {length} bytes")
        body = await connection.client.read(length - 8)
        if protocol == wire.CANCEL_REQUEST:
            await self._cancel(struct.pack("!II", length, protocol) + body)
            return
        parameters = wire.startup_parameters(body)
        user = parameters.get("user", "")
        try:
            server = await self._find_server(connection.host)
            if not admission.is_accessible(server):
                # As if nothing listened; how a stopped server's name answers is unverified.
                _log.info("%s is %s: connection of %s dropped", server.name, server.state, connection.address)
                connection.client.abort()
                return
            admission.check_network(server, connection.address, user, parameters.get("database") or user)
            trusted = await self._authenticate(server, connection, user)
            connection.upstream = await self._connect(server.name, trusted)
        except Refusal as refusal:
            _log.info("connection of %s to %s as %r refused: %s", connection.address, connection.host, user, refusal)
            connection.client.write(wire.error_response(str(refusal), refusal.sqlstate, refusal.hint))
            return
        connection.upstream.write(wire.startup_message(protocol, parameters))
        self._count(server.name, connection)
        await self._relay_until_ready(server.name, connection, connection.upstream)
        _log.info("%s connected to %s as %r", connection.address, server.name, user)

    async def _find_server(self, host: str | None) -> ServerView:
        """Return the server that a client named in the TLS handshake."""
        if not host:
            # On the service every server has an address of its own, so it needs no name.
            raise Refusal(
                "the connection names no server", "08004", "Connect by the server's name, not by its address."
            )
        try:
            server = await self._directory.server(host)
        except BackendError:
            raise Refusal("the server is not available", "57P03") from None
        if server is None:
            raise Refusal(f'there is no server "{host}"', "08004", "On Azure this name would not be in DNS.")
        return server

    async def _authenticate(self, server: ServerView, connection: _Connection, user: str) -> bool:
        """Check an Entra token; return whether the client is trusted now, or has to give the server a password."""
        if user == SUPERUSER:
            raise Refusal(f'password authentication failed for user "{user}"', "28P01")
        object_id = await self._principal(server, user)
        if not admission.wants_token(server, user, object_id):
            return False
        connection.client.write(wire.CLEARTEXT_PASSWORD_REQUEST)
        kind, body = await connection.client.read_message(wire.MAXIMUM_PASSWORD_BYTES)
        if kind != wire.PASSWORD:
            raise wire.ProtocolViolation("expected a password")
        token = body.rstrip(b"\0").decode("utf-8", "replace")
        admission.check_token(object_id, self._identity, user, token)
        return True

    async def _principal(self, server: ServerView, user: str) -> str | None:
        """Return the Entra principal that a role belongs to: an administrator's, or one that an administrator made."""
        known = server.administrators.get(user)
        if known is not None or not server.entra:
            return known
        for attempt in range(2):
            try:
                return await self._directory.principal(server.name, user)
            except BackendError:
                if attempt == 0:
                    await self._start_again(server.name)
        raise Refusal("the server is not available", "57P03")

    async def _connect(self, name: str, trusted: bool) -> Peer:
        """Connect to a server's trusted socket or its TCP port; one whose process was killed is started first."""
        loop = asyncio.get_running_loop()
        for attempt in range(2):
            try:
                folder, port = await self._directory.address(name)
                if trusted:
                    return (await loop.create_unix_connection(Peer, str(folder / f".s.PGSQL.{port}")))[1]
                return (await loop.create_connection(Peer, "127.0.0.1", port))[1]
            except OSError:
                if attempt == 0:
                    await self._start_again(name)
            except BackendError:
                break
        raise Refusal("the server is not available", "57P03")

    async def _start_again(self, name: str) -> None:
        _log.warning("PostgreSQL server %s does not answer: starting it", name)
        try:
            await self._directory.start(name)
        except BackendError as error:
            _log.error("PostgreSQL server %s: %s", name, error)

    async def _relay_until_ready(self, name: str, connection: _Connection, upstream: Peer) -> None:
        """Pump both ways, but look at the server's messages until it is ready, to learn the key for cancel requests."""
        connection.client.pump_to(upstream)
        kind = b""
        while kind != wire.READY:
            kind, body = await upstream.read_message(_MAXIMUM_MESSAGE_BYTES)
            connection.client.write(struct.pack("!cI", kind, len(body) + 4) + body)
            if kind == wire.BACKEND_KEY:
                self._cancel_keys[body] = name
                upstream.closed.add_done_callback(functools.partial(self._forget_cancel_key, body))
        upstream.pump_to(connection.client)

    async def _cancel(self, packet: bytes) -> None:
        """Forward a cancel request to the server that gave out its key."""
        name = self._cancel_keys.get(packet[8:])
        if name is None:
            return
        with contextlib.suppress(Refusal):
            upstream = await self._connect(name, trusted=True)
            try:
                upstream.write(packet)
                await upstream.closed
            finally:
                upstream.close()

    def _forget_cancel_key(self, key: bytes, _closed: asyncio.Future[None]) -> None:
        self._cancel_keys.pop(key, None)

    def _count(self, name: str, connection: _Connection) -> None:
        """Count a session until it ends."""

        def add(sessions: int) -> None:
            self._open[name] += sessions
            if self._changed is not None:
                self._changed(self.connections)

        if connection.upstream is not None:
            add(1)
            connection.upstream.closed.add_done_callback(lambda _: add(-1))

    def _remember_name(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext
    ) -> None:
        """Keep the name that a client asks for.

        An unknown one is refused later, in words: asyncio does not send the alert of a handshake refused here.
        """
        if name is not None:
            self._names[connection] = name.lower()


class _Connection:
    """What is known of one client's connection."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.host: str | None = None
        self.upstream: Peer | None = None
        self._client: Peer | None = None

    @property
    def client(self) -> Peer:
        """Return the client's end; there is one once TLS is up."""
        assert self._client is not None  # noqa: S101 - set before anything reads it
        return self._client

    @client.setter
    def client(self, peer: Peer) -> None:
        self._client = peer

    async def finish(self) -> None:
        """Close both ends, sending what waits, and return when they are closed."""
        ends = [end for end in (self._client, self.upstream) if end is not None]
        for end in ends:
            end.close()
        try:
            for end in ends:
                await end.closed
        except asyncio.CancelledError:
            for end in ends:
                end.abort()
            raise


def _refuse_plain(body: bytes, address: str) -> bytes:
    """Return the answer to a startup message without TLS."""
    parameters = wire.startup_parameters(body)
    user = parameters.get("user", "")
    refusal = admission.no_entry(address, user, parameters.get("database") or user)
    return wire.error_response(str(refusal), refusal.sqlstate)
