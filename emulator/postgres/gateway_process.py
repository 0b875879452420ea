"""The gateway in a process of its own: what a client's statement passes shares an interpreter with nothing else.

Resource Manager, the AI services and the providers work in the daemon's process; beside them a statement would wait
for every answer of two megabytes. The daemon keeps the listening socket, so a gateway that was killed is replaced and
no client sees another port.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import pickle
import signal
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.arm.lookup import ServerView
from emulator.identity import Identity
from emulator.postgres.backend import BackendError
from emulator.postgres.directory import Directory
from emulator.postgres.gateway import Gateway, listen

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_log = logging.getLogger(__name__)

_END_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.05  # before another process is started; twice as long after each that ends at once
_LONGEST_PAUSE_SECONDS = 5.0
_SPAWN = multiprocessing.get_context("spawn")  # a fork would take the locks of the daemon's threads along


@dataclass(frozen=True)
class GatewaySettings:
    """What a gateway needs to know at its start.

    Attributes:
        certificate: The servers' certificate chain, PEM.
        key: Its key, PEM.
        identity: Whose tokens are accepted.
    """

    certificate: Path
    key: Path
    identity: Identity


def ssl_context(settings: GatewaySettings) -> ssl.SSLContext:
    """Return the context of the servers' certificate.

    Raises:
        OSError: It cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.key)
    return context


class GatewayProcess:
    """Runs a gateway in a process of its own, answers its questions, and starts another when it was killed."""

    def __init__(self, directory: Directory, settings: GatewaySettings) -> None:
        self._directory = directory
        self._settings = settings
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None
        self.connections: Mapping[str, int] = {}
        """How many sessions each server has at present."""

    def start(self, host: str, port: int) -> int:
        """Listen, start the process, and return the port, which is a free one for 0.

        Raises:
            OSError: The port is taken, or the certificate cannot be used.
        """
        ssl_context(self._settings)  # a certificate that cannot be used is told here
        self._listener = listen(host, port)
        self._serving = asyncio.create_task(self._serve(self._listener))
        return int(self._listener.getsockname()[1])

    async def stop(self) -> None:
        """End every session and the process."""
        try:
            if self._serving is not None:
                self._serving.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._serving
        finally:
            if self._listener is not None:
                self._listener.close()

    async def _serve(self, listener: socket.socket) -> None:
        """Keep one gateway running until cancelled."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                await self._run_one(listener)
            except OSError as error:
                _log.error("the gateway's process cannot be started: %s", error)
            pause = _FIRST_PAUSE_SECONDS if time.monotonic() - began > _LONGEST_PAUSE_SECONDS else pause * 2
            _log.warning("the gateway's process ended: starting another one")
            await asyncio.sleep(min(pause, _LONGEST_PAUSE_SECONDS))

    async def _run_one(self, listener: socket.socket) -> None:
        """Start a gateway, and answer what it asks until it is gone or this is cancelled."""
        here, there = socket.socketpair()
        process = _SPAWN.Process(target=_run, args=(there, listener, self._settings), name="gateway", daemon=True)
        with there:
            process.start()  # some milliseconds, in which nothing else may cancel it
        try:
            channel = _Channel(*await asyncio.open_connection(sock=here))
            try:
                await self._answer(channel)
            finally:
                channel.close()
        finally:
            self.connections = {}
            await asyncio.shield(asyncio.to_thread(_end, process))

    async def _answer(self, channel: _Channel) -> None:
        """Answer what the gateway asks until it is gone."""
        asked: set[asyncio.Task[None]] = set()
        while (message := await channel.receive()) is not None:
            match message:
                case ("ask", number, name, arguments):
                    task = asyncio.create_task(self._answer_one(channel, number, name, arguments))
                    asked.add(task)
                    task.add_done_callback(asked.discard)
                case ("sessions", sessions):
                    self.connections = sessions
                case ("log", level, name, text):
                    logging.getLogger(name).log(level, "%s", text)

    async def _answer_one(self, channel: _Channel, number: int, name: str, arguments: tuple[str, ...]) -> None:
        try:
            channel.send(("answer", number, await getattr(self._directory, name)(*arguments), None))
        except BackendError as error:
            channel.send(("answer", number, None, str(error)))
        except Exception as error:  # noqa: BLE001 - without an answer its client would wait for a minute
            _log.exception("the gateway's question %s was not answered", name)
            channel.send(("answer", number, None, f"{type(error).__name__} in the emulator: see its log"))


class _Channel:
    """Whole messages over a socket between two processes of one user, the one of which started the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, message: tuple[Any, ...]) -> None:
        if self._writer.is_closing():
            return  # asyncio would log that, and the gateway's log goes this way too
        body = pickle.dumps(message)
        self._writer.write(struct.pack("!I", len(body)) + body)

    async def receive(self) -> tuple[Any, ...] | None:
        """Return the next message; None when the other process is gone."""
        try:
            (size,) = struct.unpack("!I", await self._reader.readexactly(4))
            message: tuple[Any, ...] = pickle.loads(await self._reader.readexactly(size))  # noqa: S301 - see the class
        except (EOFError, ConnectionError):
            return None
        return message

    def close(self) -> None:
        self._writer.close()


class _AskedDirectory:
    """The directory as the gateway's process sees it: each question goes to the daemon."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._asked = 0

    async def server(self, host: str) -> ServerView | None:
        found: ServerView | None = await self._ask("server", host)
        return found

    async def principal(self, server: str, role: str) -> str | None:
        found: str | None = await self._ask("principal", server, role)
        return found

    async def address(self, server: str) -> tuple[Path, int]:
        found: tuple[Path, int] = await self._ask("address", server)
        return found

    async def start(self, server: str) -> None:
        await self._ask("start", server)

    async def _ask(self, name: str, *arguments: str) -> Any:
        self._asked += 1
        number, answer = self._asked, asyncio.get_running_loop().create_future()
        self._open[number] = answer
        self._channel.send(("ask", number, name, arguments))
        try:
            return await answer
        finally:
            del self._open[number]

    async def listen(self) -> None:
        """Take the answers until the daemon is gone."""
        while (message := await self._channel.receive()) is not None:
            _, number, value, error = message
            waiting = self._open.get(number)
            if waiting is not None and not waiting.done():
                if error is None:
                    waiting.set_result(value)
                else:
                    waiting.set_exception(BackendError(error))


class _ToDaemon(logging.Handler):
    """Hands lines to the daemon, which has the log."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send(("log", record.levelno, record.name, self.format(record)))


def _run(channel: socket.socket, listener: socket.socket, settings: GatewaySettings) -> None:
    """Be the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the daemon, which ends this one
    asyncio.run(_gateway(channel, listener, settings))


async def _gateway(socket_to_daemon: socket.socket, listener: socket.socket, settings: GatewaySettings) -> None:
    channel = _Channel(*await asyncio.open_connection(sock=socket_to_daemon))
    logging.basicConfig(level=logging.INFO, handlers=[_ToDaemon(channel)], force=True)
    directory = _AskedDirectory(channel)
    gateway = Gateway(
        directory,
        settings.identity,
        ssl_context(settings),
        lambda sessions: channel.send(("sessions", dict(sessions))),
    )
    gateway.start(listener)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    listening = asyncio.create_task(directory.listen())
    await asyncio.wait([listening, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
    await gateway.stop()


def _end(process: SpawnProcess) -> None:
    """End a process and wait for it."""
    process.terminate()
    process.join(_END_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
