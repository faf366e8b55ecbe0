"""Routes: paths with parameters, and what stands behind them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from attrs import frozen

from flowsock.codecs.plain import message_types
from flowsock.sessions.raw_session import RawSession
from flowsock.sessions.session import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from flowsock.sessions.config import WebSocketConfig

    Handler: TypeAlias = Callable[..., Awaitable[object]]
    PageHandler: TypeAlias = Callable[..., object]

ANY_MESSAGE: Final[frozenset[type]] = frozenset({str, bytes})


@frozen
class Pattern:
    """A path whose segments are fixed or, in braces, parameters.

    Raises:
        ValueError: the path does not begin with ``/``, or a parameter is nameless or named twice.
    """

    path: str

    def __attrs_post_init__(self) -> None:
        names = self.parameters
        if not self.path.startswith("/"):
            raise ValueError(f"a path begins with '/', and this one does not: {self.path!r}")
        if len(set(names)) < len(names) or not all(name.isidentifier() for name in names):
            raise ValueError(f"the parameters of a path need names of their own: {self.path!r}")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name the parameters, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if _is_parameter(part))

    def match(self, target_path: str) -> dict[str, str] | None:
        """Give the parameters' values if the path, as it was sent, is of this pattern."""
        parts, actual = self.path.split("/"), target_path.split("/")
        if len(parts) != len(actual):
            return None
        found: dict[str, str] = {}
        for part, segment in zip(parts, actual, strict=True):
            # Split first, then resolve escapes: %2F is part of a value, not a separator.
            value = unquote(segment)
            if _is_parameter(part) and value:
                found[part[1:-1]] = value
            elif value != part:
                return None
        return found


def _is_parameter(part: str) -> bool:
    return part.startswith("{") and part.endswith("}")


@frozen
class SessionRoute:
    """A path whose sessions run a handler.

    Attributes:
        accepts: The kinds of message that the handler's session takes.
        raw: Whether that is a `RawSession`.
    """

    pattern: Pattern
    handler: Handler
    config: WebSocketConfig
    accepts: frozenset[type]
    raw: bool


@frozen
class PageRoute:
    """A path that answers GET.

    Attributes:
        media_type: What a ``str`` or ``bytes`` result is, or ``None`` to tell by its kind.
    """

    pattern: Pattern
    handler: PageHandler
    media_type: str | None


def session_route(path: str, handler: Handler, config: WebSocketConfig, *, raw: bool = False) -> SessionRoute:
    """Make a route of a handler, whose annotations say what it takes.

    Raises:
        ValueError: the path's parameters are not those of the handler, or it takes no session.
        TypeError: the session's message type has no codec, or its annotation cannot be resolved, or it is raw and the route
            is not, or the other way round.
    """
    pattern = Pattern(path)
    if not (names := list(inspect.signature(handler).parameters)):
        raise ValueError(f"{_name(handler)} must take the session as its first parameter")
    first, *others = names
    _check_parameters(pattern, handler, others)
    annotation = _annotation(handler, first, RawSession if raw else Session)
    if (annotation is RawSession) is not raw:
        route, kind = ("raw_websocket", "RawSession") if raw else ("websocket", "Session")
        raise TypeError(f"{_name(handler)} is to take a {kind} from @app.{route}, and its annotation is {annotation!r}")
    return SessionRoute(pattern, handler, config, accepted_messages(annotation), raw)


def page_route(path: str, handler: PageHandler, media_type: str | None) -> PageRoute:
    """Make a route of a function that gives a page.

    Raises:
        ValueError: the path's parameters are not those of the function.
    """
    pattern = Pattern(path)
    _check_parameters(pattern, handler, list(inspect.signature(handler).parameters))
    return PageRoute(pattern, handler, media_type)


def _check_parameters(pattern: Pattern, handler: Callable[..., Any], names: list[str]) -> None:
    if sorted(names) != sorted(pattern.parameters):
        raise ValueError(
            f"the path {pattern.path!r} has the parameters {list(pattern.parameters)}, "
            f"and {_name(handler)} takes {names}: they must be the same"
        )


def _annotation(handler: Handler, session_parameter: str, default: type[Session[Any, Any]]) -> Any:
    try:
        return _annotations(handler).get(session_parameter, default)
    except NameError as error:
        raise TypeError(
            f"an annotation of {_name(handler)} cannot be resolved ({error}): "
            f"the types of a handler must be importable names of its module, not local to a function"
        ) from error


def _annotations(handler: Handler) -> Mapping[str, Any]:
    return get_type_hints(handler if inspect.isroutine(handler) else type(handler).__call__)


def accepted_messages(annotation: Any) -> frozenset[type]:
    """Give the kinds of message that ``Session`` or ``Session[In, Out]`` takes.

    Raises:
        TypeError: there is no codec for one of the types.
    """
    arguments = get_args(annotation) if get_origin(annotation) is not None else ()
    if not arguments:
        return ANY_MESSAGE
    for outgoing in arguments[1:]:
        message_types(outgoing)
    return message_types(arguments[0])


def _name(handler: Callable[..., Any]) -> str:
    return f"{getattr(handler, '__qualname__', handler)!s}()"
