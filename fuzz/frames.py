"""Frames without compression, in both roles."""

from __future__ import annotations

from flowsock.wire.close import is_sendable
from flowsock.wire.codec import Codec
from flowsock.wire.frames import Close, Event, Failure, Ping, Pong
from fuzz.pieces import pieces

LIMIT = 300
FRAGMENTS = 8


def check(data: bytes) -> None:
    """Read the bytes as frames, whole and in pieces, and read again what was read."""
    if len(data) < 2:
        return
    client, size, stream = bool(data[0] & 1), data[1], data[2:]
    events = events_of(stream, 0, client=client)
    assert events_of(stream, size, client=client) == events
    check_events(events)
    sender = Codec(client=not client)
    again = b"".join(encode(sender, event) for event in events if not isinstance(event, Failure))
    assert events_of(again, 0, client=client) == [event for event in events if not isinstance(event, Failure)]


def events_of(stream: bytes, size: int, *, client: bool) -> list[Event]:
    codec = Codec(client=client, max_message_size=LIMIT, max_fragments=FRAGMENTS)
    return [event for piece in pieces(stream, size) for event in codec.receive(piece)]


def check_events(events: list[Event]) -> None:
    for index, event in enumerate(events):
        match event:
            case str() | bytes():
                assert len(event if isinstance(event, bytes) else event.encode()) <= LIMIT
            case Ping(payload) | Pong(payload):
                assert len(payload) <= 125
            case Close(reason):
                assert reason is None or is_sendable(reason.code)
                assert index == len(events) - 1
            case Failure(reason):
                assert reason.code in (1002, 1007, 1008, 1009)
                assert index == len(events) - 1


def encode(codec: Codec, event: Event) -> bytes:
    match event:
        case str():
            return codec.text(event)
        case bytes():
            return codec.binary(event)
        case Ping(payload):
            return codec.ping(payload)
        case Pong(payload):
            return codec.pong(payload)
        case Close(reason):
            return codec.close(reason)
        case _:
            raise AssertionError(event)
