"""Routes, and how a request finds its handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import frozen

from flowsock.sessions.config import WebSocketConfig, raw_config
from flowsock.sessions.routes.background import BackgroundJobs
from flowsock.sessions.routes.registry import SessionRegistry
from flowsock.sessions.routes.routing import PageRoute, SessionRoute, page_route, session_route
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
    from collections.abc import Awaitable, Callable, Iterable

    from flowsock.scopes.restart import Restart
    from flowsock.sessions.routes.guards import GuardFunction
    from flowsock.sessions.routes.registry import AppStatistics
    from flowsock.wire.request import Request

    H = TypeVar("H", bound=Callable[..., Awaitable[object]])
    B = TypeVar("B", bound=Callable[[], Awaitable[object]])
    P = TypeVar("P", bound=Callable[..., object])
    R = TypeVar("R", SessionRoute, PageRoute)

_PAGE_METHODS: Final = "GET, HEAD, OPTIONS"


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


class Router:
    """Know the routes of an app, its settings, its open sessions and its background jobs."""

    def __init__(self, *, websockets: WebSocketConfig | None = None) -> None:
        self.websockets = websockets or WebSocketConfig()
        self.sessions = SessionRegistry()
        self.background_jobs = BackgroundJobs()
        self._sessions: list[SessionRoute] = []
        self._pages: list[PageRoute] = []

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

    def statistics(self) -> AppStatistics:
        """Count the sessions, and what passed through them."""
        return self.sessions.statistics()

    def find(self, request: Request) -> Upgrade | Page | Response:
        """Tell what to do with a request: open a session, give a page, or refuse."""
        path = request.target.partition("?")[0]
        page, session = _first(self._pages, path), _first(self._sessions, path)
        if request.method == "OPTIONS":
            return _options(path, has_page=page is not None, has_session=session is not None)
        if session is not None and (page is None or wants_websocket(request)):
            return _open(request, *session)
        if page is None:
            return plain_response(404, "not found")
        if request.method not in ("GET", "HEAD"):
            return plain_response(405, "only GET and HEAD are answered here", {"allow": _PAGE_METHODS})
        return Page(*page)


def _first(routes: Iterable[R], path: str) -> tuple[R, dict[str, Any]] | None:
    return next(((route, found) for route in routes if (found := route.entry.match(path)) is not None), None)


def _options(path: str, *, has_page: bool, has_session: bool) -> Response:
    if has_page or path == "*":
        return Response(204, {"allow": _PAGE_METHODS})
    return Response(204, {"allow": SESSION_METHODS}) if has_session else plain_response(404, "not found")


def _open(request: Request, route: SessionRoute, parameters: dict[str, Any]) -> Upgrade | Response:
    config = route.config
    refusal = upgrade_error(request) or origin_error(request, config.origins)
    if refusal is not None:
        return refusal
    agreement = Agreement(choose_subprotocol(request, config.subprotocols), choose_deflate(request, config.deflate))
    return Upgrade(route, parameters, agreement)
