"""`console`: serve the page of the stack's jobs on this machine, until interrupted."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING

from tools import session
from tools.failure import Failure
from tools.pulumi import open_stack

if TYPE_CHECKING:
    from tools.console.server import Console


def console(stack: str, target: str, *, port: int, allow_actions: bool, as_json: bool) -> int:
    """Serve the console, and print its address once it answers.

    Returns:
        0 when it was interrupted: there is no other end.

    Raises:
        Failure: the stack is not up, its database cannot be reached, or the port cannot be had.
    """
    from database.connection import connect
    from database.errors import DatabaseError
    from tools.commands.jobs import refusals
    from tools.console.database import Database
    from tools.console.reading import overview
    from tools.console.server import Console

    pulumi = open_stack(stack, target)
    spec = session.specification(pulumi, pulumi.outputs(), timeout_seconds=5)
    database = Database(lambda: connect(spec, application_name="postgres-genai console", pauses=(1.0,)))
    try:
        with refusals(stack):
            database.read(overview)  # what is wrong is better said here than in a page
    except DatabaseError as error:
        raise Failure(str(error)) from None
    asyncio.run(_until_interrupted(Console(stack, database, actions=allow_actions), port, as_json=as_json))
    return 0


async def _until_interrupted(console: Console, port: int, *, as_json: bool) -> None:
    from tools.console.server import serve

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)

    def ready(found: int) -> None:
        address = console.guard.address(found)
        if as_json:
            print(json.dumps({"url": address}), flush=True)
        else:
            print(
                f"{address}\nOpen it in a browser on this machine. Whoever has the address sees what you see.",
                flush=True,
            )
            print("Ctrl-C ends it.", flush=True)

    try:
        await serve(console.create(), port, ended, ready)
    except OSError as error:
        raise Failure(
            f"The console cannot listen on port {port}: {error.strerror}.",
            "Give another one with --port, or none at all.",
        ) from None
