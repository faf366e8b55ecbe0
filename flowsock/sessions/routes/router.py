"""Routes, and how a request finds its handler."""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import frozen

from flowsock.brokers.broker import Broker
from flowsock.brokers.broker_state import BrokerClosed
from flowsock.brokers.engine import Guarantee
from flowsock.sessions.config import WebSocketConfig, raw_config
from flowsock.sessions.events.event_stream_config import event_stream_config
from flowsock.sessions.events.stream_registry import StreamRegistry
from flowsock.sessions.routes.background import BackgroundJobs
from flowsock.sessions.routes.registry import SessionRegistry
from flowsock.sessions.routes.routing import EventRoute, PageRoute, SessionRoute, event_route, page_route, session_route
from flowsock.wire.handshake import (
    SESSION_METHODS,
    Agreement,
    choose_deflate,
    choose_subprotocol,
    upgrade_error,
    wants_websocket,
)
from flowsock.wire.origins import origin_error
from flowsock.wire.response import Response, plain_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from flowsock.scopes.restart import Restart
    from flowsock.sessions.routes.app_statistics import AppStatistics
    from flowsock.sessions.routes.guards import GuardFunction
    from flowsock.sessions.server.server import Server
    from flowsock.wire.request import Request

    H = TypeVar("H", bound=Callable[..., Awaitable[object]])
    B = TypeVar("B", bound=Callable[[], Awaitable[object]])
    P = TypeVar("P", bound=Callable[..., object])
    R = TypeVar("R", SessionRoute, PageRoute | EventRoute)


_BROKER_VARIABLE: Final = "FLOWSOCK_BROKER"

_logger = logging.getLogger("flowsock")


@frozen
class Upgrade:
    """A request that opens a session: where it goes and with what."""

    route: SessionRoute
    parameters: dict[str, Any]
    agreement: Agreement


@frozen
class Page:
    """A request that is answered by a page."""

    route: PageRoute
    parameters: dict[str, Any]


@frozen
class Events:
    """A request that is answered by events."""

    route: EventRoute
    parameters: dict[str, Any]


class Router:
    """Know the routes of an app, its settings, its open sessions, its topics and its background jobs."""

    def __init__(self, *, websockets: WebSocketConfig | None = None, broker: Broker | str | None = None) -> None:
        self.websockets = websockets or WebSocketConfig()
        self.broker = (
            broker if isinstance(broker, Broker) else Broker(broker or os.environ.get(_BROKER_VARIABLE) or "memory://")
        )
        self.topic = self.broker.topic
        self.sessions = SessionRegistry()
        self.streams = StreamRegistry()
        self.servers: set[Server] = set()
        self.background_jobs = BackgroundJobs()
        self._sessions: list[SessionRoute] = []
        self._pages: list[PageRoute | EventRoute] = []
        self._is_alone = False

    def websocket(self, path: str, /, *, guard: GuardFunction | None = None, **settings: Any) -> Callable[[H], H]:
        """Run a handler for each session that is opened at a path (Ktor: ``webSocket``).

        Law: the handler's return closes the session with 1000, its failure with 1011 and one log entry. Its session's scope,
        and all that was launched there, ends with it. Routes are tried in the order they were added.

        Args:
            path: Begins with ``/``. ``{name}`` stands for one segment, and ``{name...}`` at the end for all that is left; the
                handler gets them by name, as what its annotations say: ``str``, ``int``, ``float``, ``bool``, ``UUID``,
                ``date``, an ``Enum``, a ``Literal`` or ``PurePosixPath``. A value that does not convert is not found (404).
            guard: A function, sync or async, that gets the request, and parameters of the path by name, before the session is
                opened. A `Response` that it returns (`reject` makes one) is the client's answer; ``None`` and ``False`` are
                403; with anything else the session is opened, and the handler gets it if it has one more parameter than the
                path. A guard that fails answers with 500 and one log entry, one that takes too long with 503.
            settings: Override the app's `WebSocketConfig` for this route.

        Raises:
            ValueError: the parameters of path and handler differ.
            TypeError: there is no such setting, a parameter's type cannot be read from a path, or the handler's
                ``Session[In, Out]`` names a type without a codec.
        """
        config = self.websockets.with_overrides(settings)

        def add(handler: H) -> H:
            self._sessions.append(session_route(path, handler, config, guard))
            return handler

        return add

    def raw_websocket(self, path: str, /, *, guard: GuardFunction | None = None, **settings: Any) -> Callable[[H], H]:
        """Run a handler for each `RawSession` that is opened at a path: frames, and nothing by itself (Ktor: ``webSocketRaw``).

        Law: as for `websocket`, except that no pings are sent unless a ``ping_interval`` is given here.

        Args:
            path: As for `websocket`.
            guard: As for `websocket`.
            settings: Override the app's `WebSocketConfig` for this route; ``max_message_size`` is the limit of a frame.

        Raises:
            ValueError: the parameters of path and handler differ, or a ``slow_reader`` would lose frames.
            TypeError: there is no such setting, or the handler takes another kind of session.
        """
        config = raw_config(self.websockets, settings)

        def add(handler: H) -> H:
            self._sessions.append(session_route(path, handler, config, guard, raw=True))
            return handler

        return add

    def get(self, path: str, /, *, media_type: str | None = None, guard: GuardFunction | None = None) -> Callable[[P], P]:
        """Answer GET and HEAD of a path with what a function, sync or async, gives.

        Law: a ``Path`` is served as a file, ``str`` as plain text, ``bytes`` as they are, a `Response` as it is, anything else
        as JSON. Its failure gives 500 and one log entry. A parameter annotated `Request` gets the request.

        Args:
            path: As for `websocket`.
            media_type: What the result is, if its kind does not tell: ``"text/html"`` for a page.
            guard: As for `websocket`.

        Raises:
            ValueError: the parameters of path and function differ.
        """

        def add(handler: P) -> P:
            self._pages.append(page_route(path, handler, media_type, guard))
            return handler

        return add

    def sse(self, path: str, /, *, guard: GuardFunction | None = None, **settings: Any) -> Callable[[P], P]:
        """Answer GET of a path with server-sent events (Ktor: ``sse``; WHATWG HTML, section 9.2).

        Laws:

        - The function, sync or async, gives a flow, or anything that `as_flow` takes; or it is an async generator, whose values
          may be flows too. A `ServerSentEvent` or `ServerSentComment` goes out as it is, text as the data of an event, anything
          else as JSON. ``None`` answers with 204, which tells clients not to come back; a `Response` is the answer itself.
        - The flow is collected for each client, in a scope of its own. Both are cancelled as soon as the client goes, or when
          it does not catch up in ``send_timeout``. A flow that completes ends the response, and so does one that fails, with
          one log entry; clients come back then by themselves.
        - A client that comes back to a `SharedFlow` of events with an ``id`` goes on behind the last that it saw. If the replay
          cache does not reach back so far, an event named ``gap``, whose data is that id, comes before the whole cache. For
          other flows see `Request.last_event_id` and `SharedFlow.resume_after`.

        Args:
            path: As for `websocket`. A WebSocket may have the same one.
            guard: As for `websocket`.
            settings: Those of `EventStreamConfig`: ``heartbeat``, ``retry``, ``send_timeout``, ``origins``, …

        Raises:
            ValueError: the parameters of path and function differ, or a setting makes no sense.
            TypeError: there is no such setting, or a parameter's type cannot be read from a path.
        """
        config = event_stream_config(settings)

        def add(handler: P) -> P:
            self._pages.append(event_route(path, handler, config, guard))
            return handler

        return add

    def background(self, *, restart: Restart | None = None) -> Callable[[B], B]:
        """Run a function, without arguments, for as long as the app is served.

        Law: a failure is logged and ends neither the server nor other jobs. The jobs are cancelled after the sessions ended.
        They run once, also when several servers serve the app: as long as the first of them does.

        Args:
            restart: Start the function again when it fails, within this budget.
        """

        def add(function: B) -> B:
            self.background_jobs.add(function, restart)
            return function

        return add

    @property
    def session_routes(self) -> tuple[SessionRoute, ...]:
        """Give the routes that open sessions, in order."""
        return tuple(self._sessions)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Have the broker open, and the background jobs running, while the block lasts."""
        async with self.broker.running(), self.background_jobs.running():
            yield

    def expect_running(self) -> None:
        """Log, once, what an app needs that its host does not run."""
        self.background_jobs.expect()
        is_alone = self.broker.guarantee is not Guarantee.LOCAL and self.broker.state.value == BrokerClosed()
        if is_alone and not self._is_alone:
            self._is_alone = True
            _logger.error(
                "the topics of an app are cut off, because its host runs no lifespan for it: give the outermost "
                "application the lifespan of the app, as in FastAPI(lifespan=app.lifespan)"
            )

    def statistics(self) -> AppStatistics:
        """Count the sessions and the event streams, and what passed through them."""
        return self.sessions.statistics(self.streams.statistics())

    def find(self, request: Request) -> Upgrade | Page | Events | Response:
        """Tell what to do with a request: open a session, give a page or events, or refuse."""
        path = request.target.partition("?")[0]
        page, session = _first(self._pages, path), _first(self._sessions, path)
        if request.method == "OPTIONS":
            return _options(path, page and page[0].methods, has_session=session is not None)
        if session is not None and (page is None or wants_websocket(request)):
            return _open(request, *session)
        if page is None:
            return plain_response(404, "not found")
        return _give(request, *page)


def _first(routes: Iterable[R], path: str) -> tuple[R, dict[str, Any]] | None:
    return next(((route, found) for route in routes if (found := route.entry.match(path)) is not None), None)


def _options(path: str, methods: tuple[str, ...] | None, *, has_session: bool) -> Response:
    if methods is not None or path == "*":
        return Response(204, {"allow": _allowed(methods or PageRoute.methods)})
    return Response(204, {"allow": SESSION_METHODS}) if has_session else plain_response(404, "not found")


def _allowed(methods: tuple[str, ...]) -> str:
    return ", ".join((*methods, "OPTIONS"))


def _give(request: Request, route: PageRoute | EventRoute, parameters: dict[str, Any]) -> Page | Events | Response:
    if request.method not in route.methods:
        message = f"this path answers {' and '.join(route.methods)} only"
        return plain_response(405, message, {"allow": _allowed(route.methods)})
    if isinstance(route, PageRoute):
        return Page(route, parameters)
    return origin_error(request, route.config.origins) or Events(route, parameters)


def _open(request: Request, route: SessionRoute, parameters: dict[str, Any]) -> Upgrade | Response:
    config = route.config
    refusal = upgrade_error(request) or origin_error(request, config.origins)
    if refusal is not None:
        return refusal
    agreement = Agreement(choose_subprotocol(request, config.spoken), choose_deflate(request, config.deflate))
    return Upgrade(route, parameters, agreement)
