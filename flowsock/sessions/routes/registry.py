"""The open sessions of an app, and what passed through all it ever had."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowsock.sessions.events.stream_registry import StreamStatistics
    from flowsock.sessions.session import Session

_Counts: TypeAlias = tuple[int, int, int, int, int]


@frozen
class AppStatistics:
    """Count the sessions and the event streams of an app, and what passed through them since it was made.

    Attributes:
        sessions: Open now.
        opened: Opened so far.
        messages_received: Whole messages from peers.
        messages_sent: Whole messages to peers.
        bytes_received: Bytes read, frame headers included.
        bytes_sent: Bytes written, frame headers included.
        dropped: Messages lost to the policies for slow peers.
        streams: The same of event streams.
    """

    sessions: int
    opened: int
    messages_received: int
    messages_sent: int
    bytes_received: int
    bytes_sent: int
    dropped: int
    streams: StreamStatistics


class SessionRegistry:
    """Know the open sessions."""

    __slots__ = ("_closed", "_opened", "_sessions")

    def __init__(self) -> None:
        self._sessions: set[Session[Any, Any]] = set()
        self._opened = 0
        self._closed: _Counts = (0, 0, 0, 0, 0)

    def add(self, session: Session[Any, Any]) -> None:
        """Count a session that was opened."""
        self._sessions.add(session)
        self._opened += 1

    def discard(self, session: Session[Any, Any]) -> None:
        """Keep the counts of a session that ended."""
        self._sessions.discard(session)
        self._closed = _sum(self._closed, _counts(session))

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session[Any, Any]]:
        return iter(tuple(self._sessions))

    def statistics(self, streams: StreamStatistics) -> AppStatistics:
        """Add up the counts of all sessions, open and ended, beside those of the streams."""
        totals = self._closed
        for session in self._sessions:
            totals = _sum(totals, _counts(session))
        return AppStatistics(len(self._sessions), self._opened, *totals, streams)


def _counts(session: Session[Any, Any]) -> _Counts:
    counts = session.statistics()
    return counts.messages_received, counts.messages_sent, counts.bytes_received, counts.bytes_sent, counts.dropped


def _sum(first: _Counts, second: _Counts) -> _Counts:
    received, sent, bytes_received, bytes_sent, dropped = map(add, first, second)
    return received, sent, bytes_received, bytes_sent, dropped
