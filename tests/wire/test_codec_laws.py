"""Laws over all inputs: any split of the same bytes gives the same events, and what one end writes the other reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowsock.wire.close import CloseReason, is_sendable, truncate_message
from flowsock.wire.codec import Codec
from flowsock.wire.frame import Frame
from flowsock.wire.frames import Close, Event, Failure, Ping, Pong
from tests.wire.support import bounded, cut_lists, events_of, frame

payloads = st.binary(max_size=20) | st.text(max_size=10).map(str.encode) | st.integers(0, 300).map(lambda n: b"x" * n)
valid_frames = st.builds(frame, st.sampled_from((0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A)), payloads)
any_frames = st.builds(frame, st.integers(0, 255), payloads, length=st.none() | st.integers(0, 2**64 - 1))
closes = st.builds(frame, st.just(0x88), st.integers(990, 5010).map(lambda code: code.to_bytes(2)) | payloads)
streams = st.lists(st.one_of(valid_frames, valid_frames, any_frames, closes, payloads), max_size=8).map(b"".join)

masks = st.binary(min_size=4, max_size=4)
fragmented = st.builds(
    lambda first, parts, mask: b"".join(
        frame((0x80 if index == len(parts) - 1 else 0) | (0 if index else first), part, mask=mask)
        for index, part in enumerate(parts)
    ),
    st.sampled_from((1, 2)),
    st.lists(payloads, min_size=1, max_size=5),
    masks,
)

reasons = st.none() | st.builds(
    CloseReason, st.integers(1000, 4999).filter(is_sendable), st.text(max_size=130).map(truncate_message)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
controls = st.binary(max_size=125)
messages = texts | st.binary(max_size=300) | st.builds(Ping, controls) | st.builds(Pong, controls)


@bounded
@given(streams, cut_lists)
def test_any_split_gives_the_same_events(data: bytes, cuts: list[int]) -> None:
    assert events_of(data, cuts) == events_of(data)


@bounded
@given(st.lists(fragmented, max_size=4).map(b"".join), cut_lists)
def test_any_split_of_fragmented_messages_gives_the_same_events(data: bytes, cuts: list[int]) -> None:
    assert events_of(data, cuts) == events_of(data) == events_of(data, range(len(data)))


@bounded
@given(streams)
def test_only_the_last_event_ends_the_stream(data: bytes) -> None:
    assert not any(isinstance(event, Close | Failure) for event in events_of(data)[:-1])


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
        case Failure(reason):
            return codec.close(reason)
        case Frame():
            raise AssertionError("frames are for raw sessions")


@bounded
@given(st.booleans(), st.lists(messages, max_size=10), reasons, cut_lists)
def test_what_one_end_writes_the_other_reads(
    client: bool, messages: list[Event], reason: CloseReason | None, cuts: list[int]
) -> None:
    events = [*messages, Close(reason)]
    sender = Codec(client=client)
    data = b"".join(encode(sender, event) for event in events)
    assert events_of(data, cuts, codec=Codec(client=not client)) == events
