"""The console's own little web server, on the loopback interface."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from aiohttp import web

from database.errors import DatabaseError, said
from tools.console import guard
from tools.console.database import ACTIONS, SEARCH_SECONDS
from tools.console.page import Asked, Pages, Shown
from tools.console.reading import overview
from tools.console.searching import LONGEST, search, searchable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.console.database import Database
    from tools.console.reading import Overview

LARGEST = 16 * 1024  # bytes of a form
OLDER = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedColumn)


class Console:
    """Answers what a browser asks.

    Args:
        stack: the stack's name.
        database: the way to its database.
        actions: whether the page may change something.

    Attributes:
        guard: who may ask.
    """

    def __init__(self, stack: str, database: Database, *, actions: bool) -> None:
        self.guard = guard.Guard()
        self._stack = stack
        self._database = database
        self._actions = actions
        self._pages = Pages()
        self._latest: Overview | None = None
        self._said = ""

    def create(self) -> web.Application:
        """Return the application."""
        app = web.Application(middlewares=[self.guard.check], client_max_size=LARGEST)
        app.on_response_prepare.append(guard.add_headers)
        app.on_shutdown.append(self._close)
        place = f"/{self.guard.token}"
        app.router.add_get(f"{place}/", self._page)
        app.router.add_get(f"{place}/live", self._live)
        app.router.add_get(f"{place}/style.css", self._style)
        app.router.add_get(f"{place}/refresh.js", self._script)
        app.router.add_get(place, self._whole_address)
        if self._actions:
            app.router.add_post(f"{place}/act", self._act)
        return app

    async def _page(self, request: web.Request) -> web.Response:
        shown = await self._shown()
        asked = await self._asked(request, shown.overview)
        return _html(self._pages.page(shown, asked))

    async def _live(self, _: web.Request) -> web.Response:
        return _html(self._pages.live(await self._shown()))

    async def _style(self, _: web.Request) -> web.Response:
        return web.Response(text=self._pages.style, content_type="text/css")

    async def _script(self, _: web.Request) -> web.Response:
        return web.Response(text=self._pages.script, content_type="text/javascript")

    async def _whole_address(self, request: web.Request) -> web.Response:
        raise web.HTTPPermanentRedirect(f"{request.path}/")

    async def _close(self, _: web.Application) -> None:
        """Break off what is still asked of the database, or the end would wait for it."""
        await asyncio.to_thread(self._database.close)

    async def _act(self, request: web.Request) -> web.Response:
        form = await request.post()
        action, job = str(form.get("action", "")), str(form.get("job", ""))
        if action not in ACTIONS:
            raise web.HTTPBadRequest(text="There is no such action.\n")
        try:
            told = await asyncio.to_thread(self._database.call, action, job)
            outcome = told[:1].upper() + told[1:] if told else f"{ACTIONS[action]}: done for job {job}."
        except (psycopg.Error, DatabaseError) as error:
            outcome = f"{ACTIONS[action]} of job {job} was refused: {_sentence(error)}"
        self._said = f"{datetime.now().astimezone():%H:%M:%S} {outcome}"
        raise web.HTTPSeeOther(f"/{self.guard.token}/#jobs")

    async def _shown(self) -> Shown:
        """Read the jobs; where that fails, what was read before is shown with the reason."""
        trouble = ""
        try:
            self._latest = await asyncio.to_thread(self._database.read, overview)
        except OLDER as error:
            trouble = (
                f"The engine in this database is older than this console ({said(error)}): make up STACK={self._stack}"
            )
        except (psycopg.Error, DatabaseError) as error:
            trouble = f"The database did not answer: {_sentence(error)}"
        form = self.guard.form if self._actions else ""
        return Shown(self._stack, self._latest, trouble, form, self._said, datetime.now().astimezone())

    async def _asked(self, request: web.Request, known: Overview | None) -> Asked:
        query = request.query.get("q", "").strip()
        job = request.query.get("job", "")
        updates = request.query.get("updates") != "off"
        names = searchable(known.snapshot.jobs) if known else []
        if not query or not names:
            return Asked(query, job, updates)
        if job not in names:
            return Asked(query, job, updates, refused="There is no such job. Choose one, then search again.")
        if len(query) > LONGEST or "\0" in query:
            return Asked(
                query[:LONGEST], job, updates, refused=f"A query has at most {LONGEST} characters, and no NUL."
            )
        try:
            columns = await asyncio.to_thread(
                self._database.read, lambda connection: search(connection, job, query), SEARCH_SECONDS
            )
        except (psycopg.Error, DatabaseError) as error:
            return Asked(query, job, updates, refused=f"The search failed: {_sentence(error)}")
        return Asked(query, job, updates, columns)


async def serve(app: web.Application, port: int, ended: asyncio.Event, ready: Callable[[int], None]) -> None:
    """Serve until told to end.

    Args:
        app: the application.
        port: where to listen on 127.0.0.1; 0 for any that is free.
        ended: set when it is to end.
        ready: told the port as soon as somebody can connect.

    Raises:
        OSError: the port cannot be had.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)  # a log of requests would have the token
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ready(runner.addresses[0][1])
        await ended.wait()
    finally:
        await runner.cleanup()


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


def _sentence(error: Exception) -> str:
    return said(error) if isinstance(error, psycopg.Error) else str(error)
