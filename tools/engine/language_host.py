"""A Python language host for an engine that was built without one.

The engine starts `pulumi-language-python <engine address>` from PATH, reads a port from the first line of standard
output and speaks the LanguageRuntime gRPC service. The SDK carries a servicer for the Automation API; this adds what
only the command line asks for: the program's own folder, policy packs, errors without the host's own frames, and an
end when the engine ends.
"""

from __future__ import annotations

import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import grpc
from pulumi import RunError
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tools.engine.parent import end_with_parent
from tools.places import ENGINE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES = 65536


class Host(LanguageServer):
    """Runs the program of one folder, and the plugins that are written in Python.

    Args:
        engine_address: where the engine takes log lines; the servicer expects it in every request.
    """

    def __init__(self, engine_address: str) -> None:
        super().__init__(self._program)
        self.engine_address = engine_address
        self.folder = Path.cwd()
        self.children: list[subprocess.Popen[bytes]] = []

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run the program once; a preview and its update are two runs in one process."""
        self.folder = Path(request.pwd)
        os.chdir(self.folder)
        _forget_modules_of(self.folder)
        sys.path[:] = [request.pwd, *(entry for entry in sys.path if entry != request.pwd)]
        if not request.args:
            request.args.append(self.engine_address)
        response = super().Run(request, context)  # type: ignore[no-untyped-call]
        if response.error:  # already reported by the servicer: the engine need not say it again
            return language_pb2.RunResponse(bail=True)
        return response

    def _program(self) -> None:
        try:
            runpy.run_path(str(self.folder / "__main__.py"), run_name="__main__")
        except RunError:
            raise
        except SystemExit as error:
            if error.code:
                message = f"the program ended with: {error.code}"
                raise RunError(message) from None
        except Exception as error:  # noqa: BLE001 - the program is the user's: whatever it raises is reported
            raise RunError(describe(error, self.folder)) from None

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Run a plugin that is a folder of Python, a policy pack for example, and pass on what it prints."""
        module = "pulumi.policy" if request.kind == "analyzer" else "pulumi.run.plugin"
        folder = request.info.program_directory or request.pwd
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", module, *request.args[:1], folder, *request.args[1:]],
            cwd=request.pwd,
            env=dict(pair.split("=", 1) for pair in request.env) or dict(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.children.append(process)
        context.add_callback(process.terminate)
        yield from _output_of(process)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: ARG002, N802
        """Do nothing: set-up installs, by lock files."""
        yield language_pb2.InstallDependenciesResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Name no dependency: the lock files do."""
        return language_pb2.GetProgramDependenciesResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Give the version of the engine that this host was made for."""
        return plugin_pb2.PluginInfo(version=ENGINE_VERSION)

    def end_children(self) -> None:
        """Kill the plugins that this host started."""
        for process in self.children:
            process.kill()


def describe(error: Exception, folder: Path) -> str:
    """Describe an unhandled exception of the program, with only the program's own frames."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(folder) and ".venv" not in Path(frame.filename).parts
    ]
    where = "".join(traceback.format_list(frames))
    what = "".join(traceback.format_exception_only(error)).strip()
    return f"the program failed: {what}\n{where}".rstrip()


def _forget_modules_of(folder: Path) -> None:
    """Let the next run import the program's modules afresh."""
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and name not in ("__main__", "tools") and not name.startswith("tools."):
            relative = Path(path)
            if relative.is_relative_to(folder) and "site-packages" not in relative.parts:
                del sys.modules[name]


def _output_of(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    chunks: queue.Queue[dict[str, bytes] | None] = queue.Queue()

    def pump(stream: Any, field: str) -> None:
        for data in iter(lambda: stream.read1(CHUNK_BYTES), b""):
            chunks.put({field: data})
        chunks.put(None)

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for field, stream in streams.items():
        threading.Thread(target=pump, args=(stream, field), daemon=True).start()
    still_open = len(streams)
    while still_open:
        chunk = chunks.get()
        if chunk is None:
            still_open -= 1
        else:
            yield language_pb2.RunPluginResponse(**cast("dict[str, Any]", chunk))


def main() -> None:
    """Serve until the engine ends."""
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    host = Host(addresses[0] if addresses else "")
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    # The engine starts its plugins in a process group of their own, so an interrupt comes from it, when it is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop(0))
    end_with_parent(host.end_children)
    server.start()
    print(port, flush=True)
    server.wait_for_termination()
    host.end_children()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that a program left behind would keep the engine waiting for 5 s


if __name__ == "__main__":
    main()
