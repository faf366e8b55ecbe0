"""What the handler of an event route gives, as a flow or a response."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from flowsock.emitting import settle
from flowsock.flows.builders import as_flow
from flowsock.flows.flow import Flow, SharedFlow
from flowsock.sessions.routes.admission import FAILED, LEFT, admit
from flowsock.wire.headers import Headers
from flowsock.wire.origins import cors_headers
from flowsock.wire.response import Response
from flowsock.wire.server_sent_event import MEDIA_TYPE, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio import CancelScope

    from flowsock.emitting import Emitter
    from flowsock.sessions.routes.router import Events
    from flowsock.wire.request import Request

_logger = logging.getLogger("flowsock")

_NO_MORE: Final = Response(204)
_COMMON: Final = (
    ("content-type", MEDIA_TYPE),
    ("cache-control", "no-store"),
    ("x-accel-buffering", "no"),  # nginx, and what does as it does, would wait for more
    ("x-content-type-options", "nosniff"),
)


def event_stream_headers(request: Request, events: Events) -> Headers:
    """Give the fields of the response that the events go out in."""
    return Headers([*_COMMON, *cors_headers(request, events.route.config.origins)])


async def open_events(
    request: Request, events: Events, patience: Callable[[], CancelScope], presence: Callable[[], CancelScope]
) -> Flow[Any] | Response:
    """Give the flow of the handler, or the answer in its place: the guard's, the handler's own, or 500 and one log entry.

    Args:
        patience: Makes what ends the guard; see `admit`.
        presence: Makes what ends the handler when the client has left.
    """
    admitted = await admit(request, events, patience)
    if isinstance(admitted, Response):
        return admitted
    route = events.route
    try:
        with presence():
            result = await settle(route.handler(**route.arguments(request, events.parameters, admitted)))
            return _as_events(result, request.last_event_id)
    except Exception:
        _logger.exception("the event handler of %r failed", route.entry.pattern.path)
        return FAILED
    return LEFT


def _as_events(result: Any, last_event_id: str | None) -> Flow[Any] | Response:
    """Make a flow of what a handler returned.

    Raises:
        TypeError: it is nothing that events come from.
    """
    if result is None:
        return _NO_MORE
    if isinstance(result, Response):
        return result
    if isinstance(result, str | bytes | ServerSentEvent):
        raise TypeError(f"the handler of an event stream gives a flow of events, and not one {type(result).__name__}")
    flow: Flow[Any] = as_flow(result)
    if last_event_id is None or not isinstance(flow, SharedFlow):
        return flow
    return _resumed(flow, last_event_id)


def _resumed(shared: SharedFlow[Any], last_event_id: str) -> Flow[Any]:
    """Go on behind the event that the client saw last."""

    def is_last(value: Any) -> bool:
        return isinstance(value, ServerSentEvent) and value.id == last_event_id

    def tell_gap(emit: Emitter[Any]) -> Awaitable[object]:
        return emit(ServerSentEvent(last_event_id, event="gap"))

    return shared.resume_after(is_last, on_gap=tell_gap)
