"""Event streams, and the answers that carry them."""

from __future__ import annotations

from flowsock.errors import EventStreamError
from flowsock.wire.content import ContentReader
from flowsock.wire.event_stream import EventStreamReader
from fuzz.pieces import pieces

LONGEST = 64


def check(data: bytes) -> None:
    """Read the bytes as an answer and as a stream of events, whole and in pieces."""
    size, stream = (data[0], data[1:]) if data else (0, b"")
    assert events_of(stream, 0) == events_of(stream, size)
    assert content_of(stream, 0) == content_of(stream, size)


def events_of(stream: bytes, size: int) -> object:
    reader = EventStreamReader(max_event_size=LONGEST)
    events = []
    for piece in pieces(stream, size):
        try:
            events.extend(reader.feed(piece))
        except EventStreamError:
            # What was whole before the event that is too big depends on how much came at once.
            return EventStreamError
    for event in events:
        assert EventStreamReader(event.id or "").feed(event.encoded) == [event]
    return events, reader.last_event_id, reader.retry


def content_of(answer: bytes, size: int) -> object:
    reader = ContentReader()
    content = b""
    for piece in pieces(answer, size):
        try:
            content += reader.feed(piece)
        except EventStreamError:
            return EventStreamError
    return content, reader.head, reader.is_complete
