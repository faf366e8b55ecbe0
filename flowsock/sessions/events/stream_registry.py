"""The open event streams of an app, and what passed through all it ever had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowsock.sessions.events.event_stream import EventStream


@frozen(kw_only=True)
class StreamStatistics:
    """Count the event streams of an app, and what passed through them since it was made.

    Attributes:
        open: Open now.
        opened: Opened so far.
        events_sent: Events and comments of handlers.
        bytes_sent: Bytes of content.
        dropped: Events lost to the policies for slow clients.
        unsent: Events that wait for slow clients, under a policy other than `SlowReader.SUSPEND`.
        unsent_bytes: Bytes that wait for clients, here and in the transports.
    """

    open: int = 0
    opened: int = 0
    events_sent: int = 0
    bytes_sent: int = 0
    dropped: int = 0
    unsent: int = 0
    unsent_bytes: int = 0


class StreamRegistry:
    """Know the open event streams."""

    __slots__ = ("_bytes", "_dropped", "_events", "_opened", "_streams")

    def __init__(self) -> None:
        self._streams: set[EventStream] = set()
        self._opened = 0
        self._events = 0
        self._bytes = 0
        self._dropped = 0

    def add(self, stream: EventStream) -> None:
        """Count a stream that was opened."""
        self._streams.add(stream)
        self._opened += 1

    def discard(self, stream: EventStream) -> None:
        """Keep the counts of a stream that ended."""
        self._streams.discard(stream)
        self._events += stream.events_sent
        self._bytes += stream.bytes_sent
        self._dropped += stream.dropped

    def __len__(self) -> int:
        return len(self._streams)

    def __iter__(self) -> Iterator[EventStream]:
        return iter(tuple(self._streams))

    def statistics(self) -> StreamStatistics:
        """Add up the counts of all streams, open and ended."""
        streams = self._streams
        return StreamStatistics(
            open=len(streams),
            opened=self._opened,
            events_sent=self._events + sum(each.events_sent for each in streams),
            bytes_sent=self._bytes + sum(each.bytes_sent for each in streams),
            dropped=self._dropped + sum(each.dropped for each in streams),
            unsent=sum(each.unsent for each in streams),
            unsent_bytes=sum(each.unsent_bytes for each in streams),
        )
