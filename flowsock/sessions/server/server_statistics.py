"""What a server tells of itself in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen(kw_only=True)
class ServerStatistics:
    """Count what a server is doing now, and what it answered so far.

    Attributes:
        sessions: Open sessions.
        streams: Open event streams.
        handshakes: Connections that are no session (yet), those that get an answer among them.
        answers: How many requests were answered with which status: pages, and refusals of sessions and of event streams.
    """

    sessions: int
    streams: int
    handshakes: int
    answers: Mapping[int, int]
