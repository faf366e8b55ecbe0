"""`serve`: an app on a listening socket, for as long as a block lasts."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import asynccontextmanager
from sys import intern
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from anyio import move_on_after, sleep

from flowsock.parking import WaitingRoom
from flowsock.sessions.connection.keepalive import Keepalive
from flowsock.sessions.drivers.driver import running_driver
from flowsock.sessions.events.event_stream import EventStream
from flowsock.sessions.events.streaming import stream_flow
from flowsock.sessions.routes.admission import admit
from flowsock.sessions.routes.events import event_stream_headers, open_events
from flowsock.sessions.routes.pages import page_response
from flowsock.sessions.routes.router import Events, Page, Upgrade
from flowsock.sessions.server.access import log_events, log_response, log_session
from flowsock.sessions.server.address import Address
from flowsock.sessions.server.doors import Doors
from flowsock.sessions.server.handling import handling
from flowsock.sessions.server.seats import Seats
from flowsock.sessions.server.server_config import ServerConfig
from flowsock.sessions.server.server_handshake import ServerHandshake
from flowsock.sessions.server.server_statistics import ServerStatistics
from flowsock.sessions.terms import Terms
from flowsock.wire.close import CloseCode, CloseReason
from flowsock.wire.handshake import accept_response
from flowsock.wire.response import Response, encode_open_response, plain_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from flowsock.scopes.groups import Tasks
    from flowsock.sessions.connection.transport import Clock, Timer
    from flowsock.sessions.drivers.driver import Driver
    from flowsock.sessions.routes.router import Router
    from flowsock.sessions.server.tls import ServerTLS
    from flowsock.sessions.session import Session
    from flowsock.wire.request import Request

_logger = logging.getLogger("flowsock")
_BATCH: Final = 100
_BETWEEN_BATCHES: Final = 0.1
STUBBORN: Final = 5.0
"""Seconds after which a handler that was cancelled and has not ended is reported."""

_STUBBORN: Final = "the handler of %r was cancelled %g s ago and has not ended"
_TURNED_AWAY: Final = 128
_GOING: Final = CloseReason(CloseCode.GOING_AWAY)
_STOPPING: Final = plain_response(503, "the server is stopping", {"retry-after": "10"})
_NO_ROOM: Final = plain_response(503, "too many connections", {"retry-after": "10"})


class Server:
    """A server that is listening.

    Law: it lasts as long as the block of `serve`.

    >>> async with serve(App(), port=0) as server:
    ...     server.open_sessions
    0
    """

    __slots__ = (
        "_answering",
        "_answers",
        "_app",
        "_clock",
        "_config",
        "_doors",
        "_driver",
        "_idle",
        "_keepalive",
        "_open",
        "_seats",
        "_stopping",
        "_streams",
        "_tasks",
        "unfinished",
    )

    def __init__(self, app: Router, tasks: Tasks, driver: Driver, config: ServerConfig) -> None:
        self.unfinished: set[ServerHandshake] = set()
        self._app = app
        self._tasks = tasks
        self._driver = driver
        self._clock: Clock = driver.clock
        self._config = config
        self._keepalive = Keepalive(self._clock)
        self._seats = Seats(config)
        self._open: dict[Session[Any, Any], float] = {}
        self._streams: dict[EventStream, float] = {}
        self._answering: set[ServerHandshake] = set()
        self._answers: Counter[int] = Counter()
        self._stopping = False
        self._idle = WaitingRoom()

    async def listen(self, driver: Driver, addresses: Sequence[Address]) -> None:
        """Begin to take connections; see `serve`."""
        self._doors = await Doors.open(addresses, driver, self._config, self.greet)

    @property
    def host(self) -> str:
        """Give the host that it listens at; ``""`` if it is a Unix socket."""
        return self._doors.host

    @property
    def port(self) -> int:
        """Give the port that it listens at; 0 if it is a Unix socket."""
        return self._doors.port

    @property
    def url(self) -> str:
        """Give the address of the app's pages; with ``ws`` in place of ``http``, of its sessions."""
        return self._doors.urls[0]

    @property
    def urls(self) -> tuple[str, ...]:
        """Give all such addresses."""
        return self._doors.urls

    @property
    def open_sessions(self) -> int:
        """Count the sessions that this server has open."""
        return len(self._open)

    @property
    def open_streams(self) -> int:
        """Count the event streams that this server has open."""
        return len(self._streams)

    def statistics(self) -> ServerStatistics:
        """Count what the server is doing, and its answers; what passed through an app, `App.statistics` tells."""
        return ServerStatistics(
            sessions=len(self._open),
            streams=len(self._streams),
            handshakes=len(self.unfinished),
            answers=MappingProxyType(dict(self._answers)),
        )

    def greet(self) -> ServerHandshake | None:
        """Begin the handshake of a new connection; ``None`` where there is no room even to say that there is none."""
        config, limit = self._config, self._config.max_handshakes
        surplus = 0 if limit is None else len(self.unfinished) + 1 - limit
        if surplus > _TURNED_AWAY:
            return None
        refusal = _NO_ROOM if surplus > 0 else None
        return ServerHandshake(self.take, self._clock, config.handshake_timeout, self.unfinished, refusal)

    def take(self, handshake: ServerHandshake, request: Request) -> None:
        """Begin to answer a request."""
        request = self._config.proxies.resolve(request)
        found = _STOPPING if self._stopping else self._app.find(request)
        if isinstance(found, Upgrade | Events):
            # Whoever has a seat keeps it while the guard looks, so that no crowd can pass it together.
            found = self._seats.take(request.client) or found
        match found:
            case Response():
                self._answer(handshake, request, found)
            case Upgrade():
                # One name for all that run at the same time.
                name = intern(f"session {found.route.entry.pattern.path}")
                self._tasks.start_soon(self._run_session, handshake, request, found, name=name)
            case Events():
                name = f"events {found.route.entry.pattern.path}"
                self._tasks.start_soon(self._run_events, handshake, request, found, name=name)
            case Page():
                handshake.answers_later = True
                name = f"page {found.route.entry.pattern.path}"
                self._tasks.start_soon(self._run_page, handshake, request, found, name=name)

    def _answer(self, handshake: ServerHandshake, request: Request, response: Response) -> None:
        handshake.answer(response, head_only=request.method == "HEAD")
        self._answers[response.status] += 1
        if self._config.access_log:
            log_response(request, response, self._clock.time() - handshake.since)

    async def _run_page(self, handshake: ServerHandshake, request: Request, page: Page) -> None:
        self._answering.add(handshake)
        try:
            response = await page_response(request, page, handshake.patience)
        finally:
            self._answering.discard(handshake)
            self._idle.wake_all()
        self._answer(handshake, request, response)

    async def _run_session(self, handshake: ServerHandshake, request: Request, upgrade: Upgrade) -> None:
        client = request.client
        try:
            admitted = await admit(request, upgrade, handshake.patience)
            if self._stopping:
                admitted = _STOPPING
            if isinstance(admitted, Response):
                self._answer(handshake, request, admitted)
            elif not handshake.lost:
                session, route = self._open_session(handshake, request, upgrade), upgrade.route
                try:
                    handshake.accept(session.connection, accept_response(request, upgrade.agreement))
                    arguments = route.entry.arguments(upgrade.parameters, admitted)
                    # Nothing is kept for as long as the session lasts that it does not need.
                    del handshake, request, upgrade, admitted
                    async with handling(session, route.log_failure, self._driver.tasks()):
                        running = route.handler(session, **arguments)
                        del arguments
                        await running
                finally:
                    self._close_session(session)
        finally:
            self._seats.leave(client)

    def _open_session(self, handshake: ServerHandshake, request: Request, upgrade: Upgrade) -> Session[Any, Any]:
        route, agreement = upgrade.route, upgrade.agreement
        translation = route.translations.of(agreement.subprotocol)
        terms = Terms(request=request, config=route.config, translation=translation, agreement=agreement, raw=route.raw)
        session = terms.session(handshake.transport, self._clock)
        self._open[session] = self._clock.time()
        self._app.sessions.add(session)
        self._keepalive.add(session.connection)
        return session

    def _close_session(self, session: Session[Any, Any]) -> None:
        self._keepalive.discard(session.connection)
        self._app.sessions.discard(session)
        since = self._open.pop(session)
        self._idle.wake_all()
        if self._config.access_log:
            log_session(session, self._clock.time() - since)

    async def _run_events(self, handshake: ServerHandshake, request: Request, events: Events) -> None:
        client = request.client
        self._answering.add(handshake)
        try:
            flow = await open_events(request, events, handshake.patience, handshake.presence)
            if self._stopping:
                flow = _STOPPING
        finally:
            self._answering.discard(handshake)
        try:
            if isinstance(flow, Response):
                self._answer(handshake, request, flow)
            elif not handshake.lost:
                stream = self._open_stream(handshake, request, events)
                try:
                    handshake.accept(stream, encode_open_response(event_stream_headers(request, events)))
                    del handshake, request, events
                    await stream_flow(stream, flow)
                finally:
                    self._close_stream(stream)
        finally:
            self._seats.leave(client)
            self._idle.wake_all()

    def _open_stream(self, handshake: ServerHandshake, request: Request, events: Events) -> EventStream:
        stream = EventStream(request, events.route.config, handshake.transport, self._clock)
        self._streams[stream] = self._clock.time()
        self._app.streams.add(stream)
        return stream

    def _close_stream(self, stream: EventStream) -> None:
        self._app.streams.discard(stream)
        since = self._streams.pop(stream)
        if self._config.access_log:
            log_events(stream, self._clock.time() - since)

    async def drain(self, seconds: float) -> None:
        """Refuse who comes, close all sessions with 1001, end all streams, and wait for them and for pages, so long at most."""
        self._stopping = True
        self._doors.close()
        with move_on_after(seconds):
            await self._say_goodbye(seconds)
            while self._open or self._streams or self._answering:
                await self._idle.sleep()

    async def _say_goodbye(self, seconds: float) -> None:
        """End them a batch at a time, so that their clients do not all come back at once, in half of the time."""
        going: tuple[Session[Any, Any] | EventStream, ...] = (*self._open, *self._streams)
        pause = min(_BETWEEN_BATCHES, seconds / 2 / (len(going) // _BATCH + 1))
        for number, each in enumerate(going, 1):
            if isinstance(each, EventStream):
                each.finish()
            else:
                each.connection.close(_GOING)
            if number % _BATCH == 0:
                await sleep(pause)

    def stop(self) -> Timer:
        """Take no more connections, and drop those that are no session; an answer that was given still goes out.

        Give the timer that reports handlers which do not end though they were cancelled.
        """
        self._stopping = True
        self._doors.close()
        for handshake in tuple(self.unfinished):
            handshake.drop()
        # Tasks may be told only once that they are cancelled; a scope goes on telling.
        for session in self._open:
            session.cancel()
        for stream in self._streams:
            stream.finish()
        return self._clock.call_later(STUBBORN, self._report_stragglers)

    def _report_stragglers(self) -> None:
        for session in self._open:
            session.connection.abort()
            _logger.error(_STUBBORN, session.request.path, STUBBORN)
        for stream in self._streams:
            _logger.error(_STUBBORN, stream.request.path, STUBBORN)


@asynccontextmanager
async def serve(
    app: Router,
    *addresses: Address,
    host: str = "127.0.0.1",
    port: int = 8080,
    uds: str | Path | None = None,
    ssl: ServerTLS | None = None,
    config: ServerConfig | None = None,
    driver: Driver | None = None,
    **settings: Any,
) -> AsyncGenerator[Server]:
    """Serve an app while a block lasts: ``async with serve(app, port=0) as server: …``.

    Law: the server listens when the block is entered. Leaving the block stops it gracefully: no new connections, 1001 to all
    sessions in batches, and handlers that have not ended ``drain_timeout`` seconds later are cancelled. When the block is
    left by an error or a cancellation, they are cancelled at once. Handlers that do not end then are reported after 5 seconds,
    their connections are cut, and they are waited for. Background jobs end last, and then the app's broker is closed. It never
    touches signals; `App.run` does.

    Args:
        app: The routes.
        addresses: Where to listen, if at several places: ``serve(app, Address(port=80), Address(port=443, ssl=…))``.
        host: The address to listen on, if no `Address` is given.
        port: The port; 0 takes a free one, which ``server.port`` tells.
        uds: The path of a Unix socket to listen on instead.
        ssl: TLS: an ``SSLContext``, or the files of the certificate (with its chain) and of the key, both PEM.
        config: The settings.
        driver: What to listen with, if not the running event loop's sockets.
        settings: Override some of the `ServerConfig`.

    Raises:
        OSError: an address cannot be listened on; then none is.
        ValueError: there is no such port, a setting makes no sense, or a certificate cannot be used.
        TypeError: there is no such setting.

    >>> app = App()
    >>> greeting = app.websocket("/")(lambda session: session.send("hello"))
    >>> async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}") as session:
    ...     await session.incoming.to_list()
    ['hello']
    """
    config = (config or ServerConfig()).with_overrides(settings)
    places = addresses or (Address(host, port, uds=uds, ssl=ssl),)
    # Whoever can open a session is to hear what is said in the topics.
    async with driver or running_driver() as streams, app.broker.running():
        watch: Timer | None = None
        try:
            async with streams.tasks() as tasks:
                server = Server(app, tasks, streams, config)
                await server.listen(streams, places)
                async with app.background_jobs.running():
                    app.servers.add(server)
                    try:
                        yield server
                        await server.drain(config.drain_timeout)
                    finally:
                        app.servers.discard(server)
                        watch = server.stop()
                        tasks.cancel_scope.cancel()
        finally:
            if watch is not None:
                watch.cancel()
