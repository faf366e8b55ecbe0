"""The open sessions of an app, and what passed through all it ever had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowsock.sessions.session import Session


@frozen
class AppStatistics:
    """Count the sessions of an app, and what passed through them since it was made.

    Attributes:
        sessions: Open now.
        opened: Opened so far.
        messages_received: Whole messages from peers.
        messages_sent: Whole messages to peers.
        bytes_received: Bytes read, frame headers included.
        bytes_sent: Bytes written, frame headers included.
    """

    sessions: int
    opened: int
    messages_received: int
    messages_sent: int
    bytes_received: int
    bytes_sent: int


class SessionRegistry:
    """Know the open sessions."""

    __slots__ = ("_closed", "_opened", "_sessions")

    def __init__(self) -> None:
        self._sessions: set[Session[Any, Any]] = set()
        self._opened = 0
        self._closed = (0, 0, 0, 0)

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

    def statistics(self) -> AppStatistics:
        """Add up the counts of all sessions, open and ended."""
        totals = self._closed
        for session in self._sessions:
            totals = _sum(totals, _counts(session))
        return AppStatistics(len(self._sessions), self._opened, *totals)


def _counts(session: Session[Any, Any]) -> tuple[int, int, int, int]:
    counts = session.statistics()
    return counts.messages_received, counts.messages_sent, counts.bytes_received, counts.bytes_sent


def _sum(first: tuple[int, int, int, int], second: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return first[0] + second[0], first[1] + second[1], first[2] + second[2], first[3] + second[3]
