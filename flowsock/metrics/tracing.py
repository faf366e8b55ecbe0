"""Sessions as spans of OpenTelemetry (extra: ``otel``): short ones, with links, because a session may last for days.

A span for a whole session would be exported when it is over, and hold all that happened in it. So there is one for the opening,
which belongs to the trace of the client's request; one every now and then for the messages that passed meanwhile; and one for
the close. The later ones are linked to the first.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from anyio import sleep
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, get_tracer

from flowsock.sessions.connection.connection import is_orderly

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import AttributeValue

    from flowsock.sessions.routes.router import Router
    from flowsock.sessions.session import Session
    from flowsock.sessions.statistics import ConnectionStatistics

__all__ = ("SessionTracing",)

_COUNTS: Final = ("messages_received", "messages_sent", "bytes_received", "bytes_sent", "dropped")


class SessionTracing:
    """Trace the sessions of an app from now on: ``SessionTracing(app)``.

    Laws: a message costs nothing more. Sessions whose opening is not sampled have no spans. What is read of a session's counts
    is read every ``period`` seconds, by a background job of the app.

    Args:
        app: The app.
        tracer: Makes the spans, if not the global provider's.
        period: Seconds that the messages in one span may be apart.

    Raises:
        ValueError: the period is not above 0.

    >>> tracing = SessionTracing(App(), period=30)
    """

    def __init__(self, app: Router, *, tracer: Tracer | None = None, period: float = 10.0) -> None:
        if not period > 0:
            raise ValueError(f"the period is above 0 seconds, not {period}")
        self._tracer = tracer or get_tracer("flowsock")
        self._period = period
        self._traced: dict[Session[Any, Any], _Traced] = {}
        app.sessions.watchers.append(self)
        app.background()(self._run)

    def link(self, session: Session[Any, Any]) -> Link | None:
        """Give a link to the opening of a session, for spans of your own; ``None`` if it is not sampled."""
        traced = self._traced.get(session)
        return None if traced is None else traced.link

    def opened(self, session: Session[Any, Any], /) -> None:
        """Trace the opening."""
        request = session.request
        parent = extract(request.headers.as_dict())
        attributes: dict[str, AttributeValue] = {
            "network.protocol.name": "websocket",
            "url.path": request.path,
            "url.scheme": "wss" if request.secure else "ws",
            "server.address": request.host,
            "client.address": request.client or "",
        }
        if session.subprotocol is not None:
            attributes["flowsock.subprotocol"] = session.subprotocol
        span = self._tracer.start_span("websocket open", parent, SpanKind.SERVER, attributes)
        span.end()
        context = span.get_span_context()
        if context.trace_flags.sampled:
            self._traced[session] = _Traced(Link(context), session.statistics())

    def closed(self, session: Session[Any, Any], /) -> None:
        """Trace what passed last, and the close."""
        traced = self._traced.pop(session, None)
        if traced is None:
            return
        reason, counts = session.close_reason, session.statistics()
        self._trace_messages(traced, counts)
        attributes: dict[str, AttributeValue] = {f"flowsock.{name}": getattr(counts, name) for name in _COUNTS}
        attributes["flowsock.duration"] = (time_ns() - traced.since) / 1e9
        if reason is not None:
            attributes["flowsock.close_code"] = int(reason.code)
        span = self._tracer.start_span("websocket close", Context(), attributes=attributes, links=[traced.link])
        if reason is None or not is_orderly(reason):
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    async def _run(self) -> None:
        while True:
            await sleep(self._period)
            for session, traced in tuple(self._traced.items()):
                self._trace_messages(traced, session.statistics())

    def _trace_messages(self, traced: _Traced, counts: ConnectionStatistics) -> None:
        """Trace the messages since the last time, if there were any."""
        before, begun, now = traced.counts, traced.looked_at, time_ns()
        traced.counts, traced.looked_at = counts, now
        grown = {f"flowsock.{name}": getattr(counts, name) - getattr(before, name) for name in _COUNTS}
        if counts.messages_received == before.messages_received and counts.messages_sent == before.messages_sent:
            return
        span = self._tracer.start_span("websocket messages", Context(), attributes=grown, links=[traced.link], start_time=begun)
        span.end(now)


class _Traced:
    """What is known of a session that is traced."""

    __slots__ = ("counts", "link", "looked_at", "since")

    def __init__(self, link: Link, counts: ConnectionStatistics) -> None:
        self.link = link
        self.counts = counts
        self.since = self.looked_at = time_ns()
