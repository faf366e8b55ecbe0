"""Compressed messages: whatever a peer sends as one, and what we compress ourselves."""

from __future__ import annotations

from flowsock.wire.deflate import Deflate
from flowsock.wire.deflate_codec import DeflateCodec
from flowsock.wire.frames import BINARY, COMPRESSED, TEXT, Event, Failure, encode_frame
from fuzz.frames import LIMIT, check_events, encode
from fuzz.pieces import pieces


def check(data: bytes) -> None:
    """Read the bytes as a stream of frames, and as what is in compressed ones; write them, and read that."""
    if len(data) < 3:
        return
    choices, size, stream = data[0], data[1], data[2:]
    agreed = Deflate(
        client_max_window_bits=8 + (choices & 7),
        client_no_context_takeover=bool(choices & 8),
        threshold=1,
    )
    opcode = TEXT if choices & 16 else BINARY
    wrapped = b"".join(encode_frame(opcode | COMPRESSED, part, masked=True) for part in stream.split(b"\n"))
    for read in (stream, wrapped):
        events = events_of(agreed, read, 0)
        assert are_same(events_of(agreed, read, size), events)
        check_events(events)
    messages: list[Event] = [part[:LIMIT] for part in stream.split(b"\n")]
    client = DeflateCodec(agreed, client=True)
    assert events_of(agreed, b"".join(encode(client, message) for message in messages), size) == messages


def are_same(first: list[Event], second: list[Event]) -> bool:
    """Tell whether two splits give the same, but for which fault of a compressed message is named."""
    if first == second:
        return True
    if first[:-1] != second[:-1]:
        return False
    ends = first[-1], second[-1]
    return all(isinstance(end, Failure) and end.reason.code in (1007, 1008, 1009) for end in ends)


def events_of(agreed: Deflate, stream: bytes, size: int) -> list[Event]:
    codec = DeflateCodec(agreed, client=False, max_message_size=LIMIT, max_fragments=8)
    return [event for piece in pieces(stream, size) for event in codec.receive(piece)]
