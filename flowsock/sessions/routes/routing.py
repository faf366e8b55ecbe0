"""Routes: paths with parameters, and what stands behind them."""

from __future__ import annotations

import inspect
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, get_args, get_origin

from attrs import Factory, field, frozen

from flowsock.codecs.translation import Translations, translations
from flowsock.flows.builders import flow
from flowsock.sessions.events.flattening import flattening
from flowsock.sessions.raw_session import RawSession
from flowsock.sessions.routes.guards import make_guard
from flowsock.sessions.routes.parameters import convert_all, converter, name_of, parameter_types
from flowsock.sessions.routes.pattern import Pattern
from flowsock.sessions.session import Session
from flowsock.wire.request import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from flowsock.sessions.config import WebSocketConfig
    from flowsock.sessions.events.event_stream_config import EventStreamConfig
    from flowsock.sessions.routes.guards import Guard, GuardFunction
    from flowsock.sessions.routes.parameters import Convert

    Handler: TypeAlias = Callable[..., Awaitable[object]]
    PageHandler: TypeAlias = Callable[..., object]

_logger = logging.getLogger("flowsock")


@frozen
class Entry:
    """A path, and who may pass.

    Attributes:
        pattern: The path.
        guard: What a request has to pass, if anything.
        converters: What makes a value of each parameter of the path.
        admitted: The name of the handler's parameter that gets what the guard let pass, if it has one.
    """

    pattern: Pattern
    guard: Guard | None
    converters: dict[str, Convert]
    admitted: str | None

    def match(self, path: str) -> dict[str, Any] | None:
        """Give the values of the parameters if the path, as it was sent, leads here."""
        found = self.pattern.match(path)
        return None if found is None else convert_all(found, self.converters)

    def arguments(self, parameters: Mapping[str, Any], admitted: object) -> dict[str, Any]:
        """Give what the handler is called with."""
        return {**parameters} if self.admitted is None else {**parameters, self.admitted: admitted}


@frozen
class SessionRoute:
    """A path whose sessions run a handler.

    Attributes:
        types: The types of the messages of the handler's session, in and out, if they are named.
        translations: How these become frames, and back.
        raw: Whether that is a `RawSession`.
        log_failure: Logs that the handler failed; one function for all sessions.
    """

    entry: Entry
    handler: Handler
    config: WebSocketConfig
    types: tuple[Any, ...]
    translations: Translations
    raw: bool
    log_failure: Callable[[Exception], None] = field(
        init=False, eq=False, repr=False, default=Factory(lambda self: partial(_log_failure, self), takes_self=True)
    )


def _log_failure(route: SessionRoute, error: Exception) -> None:
    _logger.error("the handler of %r failed", route.entry.pattern.path, exc_info=error)


@frozen
class AnswerRoute:
    """A path whose requests are answered by what a function gives.

    Attributes:
        request: The name of the handler's parameter that gets the request, if it has one.
    """

    entry: Entry
    handler: PageHandler
    request: str | None

    def arguments(self, request: Request, parameters: Mapping[str, Any], admitted: object) -> dict[str, Any]:
        """Give what the function is called with."""
        arguments = self.entry.arguments(parameters, admitted)
        return arguments if self.request is None else {**arguments, self.request: request}


@frozen
class PageRoute(AnswerRoute):
    """A path that answers GET with a page.

    Attributes:
        media_type: What a ``str`` or ``bytes`` result is, or ``None`` to tell by its kind.
    """

    methods: ClassVar = ("GET", "HEAD")

    media_type: str | None


@frozen
class EventRoute(AnswerRoute):
    """A path that answers GET with events."""

    methods: ClassVar = ("GET",)

    config: EventStreamConfig


def session_route(
    path: str, handler: Handler, config: WebSocketConfig, guard: GuardFunction | None = None, *, raw: bool = False
) -> SessionRoute:
    """Make a route of a handler, whose annotations say what it takes.

    Raises:
        ValueError: the path's parameters are not those of the handler, or it takes no session.
        TypeError: the session's message type has no codec, a parameter's type cannot be read from a path, an annotation cannot
            be resolved, or that of the first parameter is not the kind of session that the route opens.
    """
    names = list(inspect.signature(handler).parameters)
    if not names:
        raise ValueError(f"{name_of(handler)} must take the session as its first parameter")
    first, *others = names
    kind = RawSession if raw else Session
    annotation = parameter_types(handler).get(first, kind)
    if annotation is not Any and (get_origin(annotation) or annotation) is not kind:
        route = "raw_websocket" if raw else "websocket"
        raise TypeError(
            f"{name_of(handler)} is to take a {kind.__name__} from @app.{route} as its first parameter, "
            f"and the annotation of {first!r} is {annotation!r}"
        )
    types = () if raw else get_args(annotation)
    chosen = translations(types, config.codec)
    return SessionRoute(_entry(path, handler, others, guard), handler, config, types, chosen, raw)


def page_route(path: str, handler: PageHandler, media_type: str | None = None, guard: GuardFunction | None = None) -> PageRoute:
    """Make a route of a function that gives a page.

    Raises:
        ValueError: the path's parameters are not those of the function.
        TypeError: a parameter's type cannot be read from a path, or an annotation cannot be resolved.
    """
    entry, request = _answer(path, handler, guard)
    return PageRoute(entry, handler, request, media_type)


def event_route(path: str, handler: PageHandler, config: EventStreamConfig, guard: GuardFunction | None = None) -> EventRoute:
    """Make a route of a function that gives events, or of an async generator of them.

    Raises:
        ValueError, TypeError: as for `page_route`.
    """
    entry, request = _answer(path, handler, guard)
    if inspect.isasyncgenfunction(handler):
        handler = flattening(flow(handler))
    return EventRoute(entry, handler, request, config)


def _answer(path: str, handler: PageHandler, guard: GuardFunction | None) -> tuple[Entry, str | None]:
    """Make the entry of a handler, and name its parameter that gets the request."""
    types = parameter_types(handler)
    names = list(inspect.signature(handler).parameters)
    request = next((name for name in names if types.get(name) is Request), None)
    others = [name for name in names if name != request]
    return _entry(path, handler, others, guard), request


def _entry(path: str, handler: Callable[..., Any], names: Sequence[str], guard: GuardFunction | None) -> Entry:
    """Make the entry of a handler with these parameters."""
    pattern = Pattern(path)
    missing = [name for name in pattern.parameters if name not in names]
    more = [name for name in names if name not in pattern.parameters]
    if missing or len(more) > (guard is not None):
        allowed = ", or one more, for what the guard lets pass" if guard is not None else ""
        raise ValueError(
            f"the path {path!r} has the parameters {list(pattern.parameters)}, "
            f"and {name_of(handler)} takes {list(names)}: they must be the same{allowed}"
        )
    types = parameter_types(handler)
    return Entry(
        pattern,
        None if guard is None else make_guard(guard, pattern.parameters),
        {name: converter(types.get(name, str)) for name in pattern.parameters},
        more[0] if more else None,
    )
