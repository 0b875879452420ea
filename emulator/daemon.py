"""The emulator's daemon: it owns the state. Embeddings and the gateway have a process each, which end with it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import logging.handlers
import os
import signal
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from emulator import state
from emulator.arm import catalogue
from emulator.arm.app import ArmApp
from emulator.arm.body import Json
from emulator.arm.conflicts import Conflicts
from emulator.arm.control_plane import ControlPlane
from emulator.arm.kind import Plane
from emulator.arm.operations import Operations
from emulator.arm.recovery import recover
from emulator.arm.store import Store
from emulator.arm.views import ArmLookup
from emulator.certificates import Certificates
from emulator.control import Endpoints
from emulator.environment import variables
from emulator.executions import Executions
from emulator.identity import Identity, Principal
from emulator.parts import Parts, RunningProviders
from emulator.postgres.backend import Backend, BackendError, Services
from emulator.report import report
from emulator.state import Home, Settings, StateError

if TYPE_CHECKING:
    from emulator.ai.faults import Faults
    from emulator.ai.usage import Usage
    from emulator.postgres.gateway_process import GatewayProcess

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_SAVE_SECONDS = 5.0
_FINISH_SECONDS = 20.0


class StartError(Exception):
    """Why the emulator cannot start, in a sentence."""


@dataclass(frozen=True)
class Ports:
    """Ports that the user insists on; 0 means that any will do."""

    https: int = 0
    http: int = 0
    gateway: int = 0


class Daemon:
    """The emulator of one home."""

    def __init__(self, home: Home, ports: Ports | None = None, parts: Parts | None = None, backend: str = "") -> None:
        self.home = home
        self._wanted_backend = backend
        self.settings = Settings()
        self._forced = ports or Ports()
        self._parts = parts or Parts()
        self._calls: Counter[str] = Counter()
        self._end = asyncio.Event()
        self._exits = contextlib.AsyncExitStack()
        self.store: Store
        self.identity: Identity
        self.backend: Backend
        self._gateway: GatewayProcess
        self._usage: Usage
        self._faults: Faults
        self._saved: Json = {}

    def stop(self) -> None:
        """Ask the daemon to end."""
        self._end.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`.

        Args:
            ready: Called once, when everything listens and the servers run.

        Raises:
            StartError: It cannot start; nothing is left behind.
        """
        try:
            async with self._exits:
                await self._start()
                ready()
                await self._end.wait()
                _log.info("stopping")
        except (StateError, BackendError) as error:
            raise StartError(str(error)) from None
        except OSError as error:
            raise StartError(state.explain(error, self.home.root)) from error

    async def _start(self) -> None:
        self.home.prepare()
        # A moment's patience: whoever asks whether a daemon runs holds the lock while it asks.
        if not self._exits.enter_context(self.home.locked("daemon", wait_seconds=0.5)):
            raise StartError(f"An emulator already runs in {self.home.root}. Stop it first: python -m emulator stop")
        self.settings = Settings.read(self.home)
        self.settings.choose_backend(self.home, self._wanted_backend)
        certificates = Certificates(self.home.tls)
        certificates.ensure()
        https = self._listen(self._forced.https, self.settings.https_port)
        http = self._listen(self._forced.http, self.settings.http_port)
        self.settings.https_port, self.settings.http_port = https.getsockname()[1], http.getsockname()[1]
        services = Services(
            f"{HOST}:{self.settings.https_port}",
            f"{HOST}:{self.settings.http_port}",
            certificates.ca,
            certificates.server,
            certificates.server_key,
        )
        await self._assemble(services)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.server, certificates.server_key)
        await self._serve(self._https_app(), https, context)
        await self._serve(self._http_app(), http, None)
        self._start_gateway(certificates)
        await asyncio.gather(recover(self.store, self.backend), asyncio.to_thread(self._start_providers, certificates))
        self.settings.pid = os.getpid()
        self.settings.write(self.home)
        self._exits.callback(self._forget_process)
        self._begin_saving()
        self._begin_executions()
        threading.Thread(target=self._parts.warm_up, name="warm-up", daemon=True).start()

    async def _assemble(self, services: Services) -> None:
        from emulator.ai.faults import Faults
        from emulator.ai.usage import Usage

        self.store = Store(self.home.resources)
        self.identity = Identity(state.TENANT_ID, self.settings.signing_key)
        self.lookup = ArmLookup(self.store)
        self.conflicts = Conflicts()
        self.operations = Operations(self.conflicts)
        self.backend = self._parts.backend(self.settings.backend, self.home.root, services)
        self._exits.push_async_callback(self._stop_servers)
        self._exits.push_async_callback(self._finish_operations)
        counters = state.read_json(self.home.counters) or {}
        self._saved = counters
        self._calls.update(counters.get("calls", {}))
        self._usage = Usage.from_json(counters.get("usage", {}))
        self._faults = Faults()

    @property
    def deployer(self) -> Principal:
        """The signed-in principal."""
        return Principal(state.DEPLOYER_ID, state.DEPLOYER_NAME, "User")

    def status(self) -> Json:
        """Return the status document."""
        return report(
            home=self.home,
            settings=self.settings,
            store=self.store,
            backend=self.backend,
            calls=self._calls,
            usage=self._usage.to_json(),
            sessions=self._gateway.connections,
            conflicts=self.conflicts.to_json(),
        )

    def _https_app(self) -> web.Application:
        plane = Plane(
            self.store,
            self.operations,
            self.backend,
            catalogue.load(),
            state.TENANT_ID,
            state.SUBSCRIPTION_ID,
            self.deployer,
            self.conflicts,
        )
        root = web.Application(middlewares=[self._count])
        # Two labels before azure.com: the hosts of accounts, and not management.azure.com. The last star is for a port.
        root.add_domain("*.*.azure.com*", self._parts.ai(self.lookup, self.identity, self._usage, self._faults))
        root.add_domain("*", ArmApp(ControlPlane(plane), self.lookup, self.identity).create())
        return root

    def _http_app(self) -> web.Application:
        return Endpoints(
            identity=self.identity,
            store=self.store,
            deployer=self.deployer,
            identity_header=self.settings.identity_header,
            control_secret=self.settings.control_secret,
            calls=self._calls,
            faults=self._faults,
            conflicts=self.conflicts,
            status=self.status,
            stop=self.stop,
        ).create()

    @web.middleware
    async def _count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        service = "openai" if host.endswith(".openai.azure.com") else "cognitiveservices"
        self._calls[service if host.count(".") > 2 and host.endswith(".azure.com") else "arm"] += 1
        return await handler(request)

    def _listen(self, forced: int, last: int) -> socket.socket:
        """Bind the forced port, else the one of the last run, else any that is free."""
        for port in (forced,) if forced else (last, 0):
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
                # Without listening, SO_REUSEADDR lets two processes bind one port.
                listener.listen(256)
            except OSError as error:
                listener.close()
                if forced:
                    raise _port_error(error, forced) from None
                continue
            self._exits.callback(listener.close)
            return listener
        raise StartError(f"No port is free on {HOST}. End what uses them, then start again.")

    async def _serve(self, app: web.Application, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        self._exits.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener, ssl_context=context).start()

    def _start_gateway(self, certificates: Certificates) -> None:
        from emulator.postgres.directory import OwnDirectory
        from emulator.postgres.gateway_process import GatewayProcess, GatewaySettings

        self._gateway = GatewayProcess(
            OwnDirectory(self.lookup, self.backend),
            GatewaySettings(certificates.server, certificates.server_key, self.identity),
        )
        forced = self._forced.gateway
        try:
            port = self._gateway.start(HOST, forced or self.settings.gateway_port)
        except OSError as error:
            if forced:
                raise _port_error(error, forced) from None
            port = self._gateway.start(HOST, 0)
        self._exits.push_async_callback(self._gateway.stop)
        self.settings.gateway_port = port

    def _start_providers(self, certificates: Certificates) -> None:
        def token() -> str:
            return self.identity.issue(self.deployer, "https://management.azure.com")

        wanted = (_free(self.settings.azure_native_port), _free(self.settings.random_port))
        endpoint = f"https://{HOST}:{self.settings.https_port}"
        running: RunningProviders = self._parts.providers(endpoint, certificates.ca, token, wanted)
        self._exits.callback(running.stop)
        self.settings.azure_native_port, self.settings.random_port = running.ports

    def _begin_executions(self) -> None:
        """Run the jobs of Container Apps; they end before the servers do."""
        executions = Executions(self.store, lambda: variables(self.home, self.settings), self.home.logs)
        task = asyncio.create_task(executions.run())

        async def end() -> None:
            task.cancel()
            await executions.end()

        self._exits.push_async_callback(end)

    def _begin_saving(self) -> None:
        task = asyncio.create_task(self._save_often())

        async def end() -> None:
            task.cancel()
            self._save()

        self._exits.push_async_callback(end)

    async def _save_often(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            self._save()

    def _save(self) -> None:
        counters = {"calls": dict(self._calls), "usage": self._usage.to_json()}
        if counters == self._saved:
            return
        try:
            state.write_json(self.home.counters, counters)
            self._saved = counters
        except StateError as error:
            _log.error("counters are not saved: %s", error)

    async def _finish_operations(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.operations.finish(), _FINISH_SECONDS)

    async def _stop_servers(self) -> None:
        try:
            await self.backend.stop_all()
        except BackendError as error:
            _log.error("not every server stopped: %s", error)

    def _forget_process(self) -> None:
        self.settings.pid = None
        with contextlib.suppress(StateError):
            self.settings.write(self.home)


def _free(port: int) -> int:
    """Return the port when it is free, else 0."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return 0
    return port


def _port_error(error: OSError, port: int) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(
            f"Port {port} on {HOST} is taken. End what uses it, or leave the option away: any port will do."
        )
    return StartError(f"Port {port} on {HOST} cannot be used: {error.strerror}. Choose another one.")


def configure_logging(home: Home) -> None:
    """Log into the home's log file, two files of 2 MB at most."""
    handler = logging.handlers.RotatingFileHandler(home.log, maxBytes=2_000_000, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # A full disk must not fill the terminal with tracebacks of the logging itself.
    logging.raiseExceptions = False
    for noisy in ("aiohttp.access", "azure", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def serve(home: Home, ports: Ports, ready: Callable[[], None], backend: str = "") -> None:
    """Run a daemon in this process until a signal or the control API ends it.

    Raises:
        StartError: It cannot start.
    """
    home.prepare()
    configure_logging(home)

    async def main() -> None:
        daemon = Daemon(home, ports, backend=backend)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, daemon.stop)
        await daemon.run(ready)

    try:
        asyncio.run(main())
    except StateError as error:
        raise StartError(str(error)) from None
