"""What an app tells of itself in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.sessions.events.stream_registry import StreamStatistics


@frozen(kw_only=True)
class AppStatistics:
    """Count the sessions and the event streams of an app, and what passed through them since it was made.

    Attributes:
        sessions: Open now.
        opened: Opened so far.
        closed: How many ended with which code; 1006 also for those that were cut off before there was one.
        messages_received: Whole messages from peers.
        messages_sent: Whole messages to peers.
        bytes_received: Bytes read, frame headers included.
        bytes_sent: Bytes written, frame headers included.
        dropped: Messages lost to the policies for slow peers.
        queued: Messages that wait for handlers now.
        unsent: Messages that wait for slow peers now, under a policy other than `SlowReader.SUSPEND`.
        unsent_bytes: Bytes that wait for peers now, here and in the transports.
        ping_round_trip: The median of the last round trips of the open sessions, in seconds, or ``None`` without.
        slowest_ping: The longest of them.
        streams: The event streams.
    """

    sessions: int
    opened: int
    closed: Mapping[int, int]
    messages_received: int
    messages_sent: int
    bytes_received: int
    bytes_sent: int
    dropped: int
    queued: int
    unsent: int
    unsent_bytes: int
    ping_round_trip: float | None
    slowest_ping: float | None
    streams: StreamStatistics
