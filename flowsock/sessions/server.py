"""`serve`: an app on a listening socket, for as long as a block lasts."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from anyio import Event, get_cancelled_exc_class, move_on_after
from anyio.lowlevel import checkpoint

from flowsock.emitting import settle
from flowsock.scopes.groups import task_group
from flowsock.sessions.background import running_background
from flowsock.sessions.drivers.driver import running_driver
from flowsock.sessions.ending import drop_session, end_session
from flowsock.sessions.keepalive import Keepalive
from flowsock.sessions.pages import to_response
from flowsock.sessions.router import Page, Upgrade
from flowsock.sessions.scope import session_scope
from flowsock.sessions.server_handshake import ServerHandshake
from flowsock.sessions.terms import Terms
from flowsock.wire.close import CloseCode, CloseReason
from flowsock.wire.handshake import accept_response
from flowsock.wire.response import plain_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import TaskGroup

    from flowsock.sessions.drivers.driver import Driver
    from flowsock.sessions.router import Router
    from flowsock.sessions.session import Session
    from flowsock.sessions.transport import Clock
    from flowsock.wire.request import Request

_logger = logging.getLogger("flowsock")
_BATCH: Final = 100
_LAST_PORT: Final = 65535
_STOPPING: Final = CloseReason(CloseCode.GOING_AWAY)


class Server:
    """A server that is listening."""

    __slots__ = (
        "_answering",
        "_app",
        "_clock",
        "_idle",
        "_keepalive",
        "_open",
        "_stopping",
        "_tasks",
        "host",
        "port",
        "unfinished",
    )

    def __init__(self, app: Router, tasks: TaskGroup, clock: Clock) -> None:
        self.host = ""
        self.port = 0
        self.unfinished: set[ServerHandshake] = set()
        self._app = app
        self._tasks = tasks
        self._clock = clock
        self._keepalive = Keepalive(clock)
        self._open: set[Session[Any, Any]] = set()
        self._answering: set[ServerHandshake] = set()
        self._stopping = False
        self._idle = Event()

    @property
    def url(self) -> str:
        """Give the address of the app's pages; with ``ws`` in place of ``http``, of its sessions."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def open_sessions(self) -> int:
        """Count the sessions that this server has open."""
        return len(self._open)

    def take(self, handshake: ServerHandshake, request: Request) -> None:
        """Begin to answer a request."""
        found = plain_response(503, "the server is stopping") if self._stopping else self._app.find(request)
        match found:
            case Upgrade():
                self._tasks.start_soon(self._run_session, handshake, request, found, name=f"session {request.path}")
            case Page():
                self._tasks.start_soon(self._run_page, handshake, request, found, name=f"page {request.path}")
            case _:
                handshake.answer(found, head_only=request.method == "HEAD")

    async def _run_page(self, handshake: ServerHandshake, request: Request, page: Page) -> None:
        self._answering.add(handshake)
        try:
            result = await settle(page.route.handler(**page.parameters))
            response = await to_response(result, page.route.media_type)
        except Exception:
            _logger.exception("the page handler of %r failed", page.route.pattern.path)
            response = plain_response(500, "internal error")
        finally:
            self._answering.discard(handshake)
            self._idle.set()
        handshake.answer(response, head_only=request.method == "HEAD")

    async def _run_session(self, handshake: ServerHandshake, request: Request, upgrade: Upgrade) -> None:
        route = upgrade.route
        terms = Terms(request=request, config=route.config, accepts=route.accepts, agreement=upgrade.agreement, raw=route.raw)
        session = terms.session(handshake.transport, self._clock)
        self._open.add(session)
        self._app.sessions.add(session)
        self._keepalive.add(session.connection)
        try:
            handshake.accept(session.connection, accept_response(request, upgrade.agreement))
            if self._stopping:
                # It was under way when the others were told.
                session.connection.close(_STOPPING)
            await self._handle(session, upgrade)
        except get_cancelled_exc_class():
            await drop_session(session)
            raise
        finally:
            self._keepalive.discard(session.connection)
            self._app.sessions.discard(session)
            self._open.discard(session)
            self._idle.set()

    async def _handle(self, session: Session[Any, Any], upgrade: Upgrade) -> None:
        code = CloseCode.NORMAL
        try:
            async with session_scope(session) as scope:
                session.enter(scope)
                try:
                    await upgrade.route.handler(session, **upgrade.parameters)
                finally:
                    session.leave()
                scope.cancel()
        except Exception as error:
            # The end of the session itself is nothing that went wrong in the handler.
            if not session.is_over_by(error):
                _logger.exception("the handler of %r failed", upgrade.route.pattern.path)
                code = CloseCode.INTERNAL_ERROR
        await end_session(session, code)

    async def drain(self, seconds: float) -> None:
        """Close all sessions with 1001, in batches, and wait for them and for pages to end, so many seconds at most."""
        self._stopping = True
        for number, session in enumerate(tuple(self._open), 1):
            session.connection.close(_STOPPING)
            if number % _BATCH == 0:
                await checkpoint()
        with move_on_after(seconds):
            while self._open or self._answering:
                self._idle = Event()
                await self._idle.wait()

    def drop_unfinished(self) -> None:
        """Drop the connections that are no session; an answer that was given still goes out."""
        for handshake in tuple(self.unfinished):
            handshake.transport.close()


@asynccontextmanager
async def serve(
    app: Router,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    handshake_timeout: float = 10.0,
    drain_timeout: float = 30.0,
    driver: Driver | None = None,
) -> AsyncGenerator[Server]:
    """Serve an app while a block lasts: ``async with serve(app, port=0) as server: …``.

    Law: the server listens when the block is entered. Leaving the block stops it gracefully: no new connections, 1001 to all
    sessions in batches, and handlers that have not ended ``drain_timeout`` seconds later are cancelled. When the block is
    left by an error or a cancellation, they are cancelled at once. Background jobs end last. It never touches signals;
    `App.run` does.

    Args:
        app: The routes.
        host: The address to listen on.
        port: The port; 0 takes a free one, which ``server.port`` tells.
        handshake_timeout: Seconds that a client has for its request.
        drain_timeout: Seconds that sessions have to end.
        driver: What to listen with, if not the running event loop's sockets.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: there is no such port.
    """
    if not 0 <= port <= _LAST_PORT:
        # uvloop would listen on another one without a word.
        raise ValueError(f"a port is a number from 0 to {_LAST_PORT}, not {port}")
    async with driver or running_driver() as streams, task_group() as tasks:
        server = Server(app, tasks, streams.clock)
        make_handshake = partial(ServerHandshake, server.take, streams.clock, handshake_timeout, server.unfinished)
        listener = await streams.listen(make_handshake, host, port)
        server.host, server.port = listener.address
        async with running_background(app):
            try:
                yield server
                listener.close()
                await server.drain(drain_timeout)
            finally:
                listener.close()
                server.drop_unfinished()
                tasks.cancel_scope.cancel()
