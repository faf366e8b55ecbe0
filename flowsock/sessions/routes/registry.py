"""The open sessions of an app, and what passed through all it ever had."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from flowsock.sessions.routes.app_statistics import AppStatistics
from flowsock.wire.close import CloseCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowsock.sessions.events.stream_registry import StreamStatistics
    from flowsock.sessions.session import Session
    from flowsock.sessions.statistics import ConnectionStatistics


class SessionWatcher(Protocol):
    """Is told of sessions that come and go."""

    def opened(self, session: Session[Any, Any], /) -> None:
        """Learn that a session is being opened."""
        ...

    def closed(self, session: Session[Any, Any], /) -> None:
        """Learn that a session is over."""
        ...


class _Totals:
    """Add up the counts of sessions."""

    __slots__ = ("bytes_received", "bytes_sent", "dropped", "messages_received", "messages_sent")

    def __init__(self) -> None:
        self.messages_received = 0
        self.messages_sent = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self.dropped = 0

    def add(self, counts: ConnectionStatistics | _Totals) -> None:
        self.messages_received += counts.messages_received
        self.messages_sent += counts.messages_sent
        self.bytes_received += counts.bytes_received
        self.bytes_sent += counts.bytes_sent
        self.dropped += counts.dropped


class SessionRegistry:
    """Know the open sessions.

    Attributes:
        watchers: Who is told of sessions that come and go.
    """

    __slots__ = ("_closed", "_codes", "_opened", "_sessions", "watchers")

    def __init__(self) -> None:
        self.watchers: list[SessionWatcher] = []
        self._sessions: set[Session[Any, Any]] = set()
        self._opened = 0
        self._closed = _Totals()
        self._codes: Counter[int] = Counter()

    def add(self, session: Session[Any, Any]) -> None:
        """Count a session that was opened."""
        self._sessions.add(session)
        self._opened += 1
        for watcher in self.watchers:
            watcher.opened(session)

    def discard(self, session: Session[Any, Any]) -> None:
        """Keep the counts of a session that ended."""
        self._sessions.discard(session)
        self._closed.add(session.statistics())
        reason = session.close_reason
        self._codes[CloseCode.CLOSED_ABNORMALLY if reason is None else reason.code] += 1
        for watcher in self.watchers:
            watcher.closed(session)

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session[Any, Any]]:
        return iter(tuple(self._sessions))

    def statistics(self, streams: StreamStatistics) -> AppStatistics:
        """Add up the counts of all sessions, open and ended, beside those of the streams."""
        totals, pings = _Totals(), list[float]()
        totals.add(self._closed)
        queued = unsent = unsent_bytes = 0
        for session in self._sessions:
            counts = session.statistics()
            totals.add(counts)
            queued += counts.queued
            unsent += counts.unsent
            unsent_bytes += counts.unsent_bytes
            if counts.ping_round_trip is not None:
                pings.append(counts.ping_round_trip)
        return AppStatistics(
            sessions=len(self._sessions),
            opened=self._opened,
            closed=MappingProxyType(dict(self._codes)),
            messages_received=totals.messages_received,
            messages_sent=totals.messages_sent,
            bytes_received=totals.bytes_received,
            bytes_sent=totals.bytes_sent,
            dropped=totals.dropped,
            queued=queued,
            unsent=unsent,
            unsent_bytes=unsent_bytes,
            ping_round_trip=sorted(pings)[len(pings) // 2] if pings else None,
            slowest_ping=max(pings, default=None),
            streams=streams,
        )
