"""The Sans-I/O layer of `websockets` as the oracle.

Both read the same bytes. Where they are valid, both give the same events; where they are not, both fail, with the same
events before. The deliberate differences:

- A length in a longer form than needed: the oracle takes it, we fail with 1002. A length from 2^63 on: the oracle says
  1009, we say 1002.
- A close frame inside a fragmented message: the oracle fails with 1002, we report the close.
- Text that cannot become UTF-8: the oracle waits for the whole message (its users decode), we fail at once.
- A frame that is both forbidden and too long: the oracle says 1009, we say 1002. A close frame whose code and message
  are both bad: the oracle says 1007, we say 1002.

Since we also fail before a bad frame is complete, broken input is followed by what completes any frame and fails both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import CLOSE, CONT, PING, PONG, TEXT, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from flowsock.wire.close import CloseReason
from flowsock.wire.codec import Codec
from flowsock.wire.frames import Close, Event, Failure, Ping, Pong
from tests.wire.support import bounded, frame
from tests.wire.test_codec_laws import fragmented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from websockets.protocol import Protocol

LIMIT = 1000
FILLER = b"\xff" * (LIMIT + 200)


def oracle(*, client: bool) -> Protocol:
    if client:
        return ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=LIMIT)
    return ServerProtocol(state=OPEN, max_size=LIMIT)


def events_of_oracle(data: bytes, *, client: bool) -> list[Event]:
    return events_of_protocol(oracle(client=client), data)


def events_of_protocol(protocol: Protocol, data: bytes) -> list[Event]:
    """Give what our codec would give, from the frames that the oracle read."""
    protocol.receive_data(data)
    events: list[Event] = []
    try:
        events.extend(assemble(event for event in protocol.events_received() if isinstance(event, Frame)))
    except UnicodeDecodeError:
        return [*events, Failure(CloseReason(1007))]
    if protocol.parser_exc is not None:
        assert protocol.close_sent is not None
        events.append(Failure(CloseReason(protocol.close_sent.code)))
    return events


def assemble(frames: Iterable[Frame]) -> Iterable[Event]:
    message, text = bytearray(), False
    for item in frames:
        data = bytes(item.data)
        if item.opcode is PING:
            yield Ping(data)
        elif item.opcode is PONG:
            yield Pong(data)
        elif item.opcode is CLOSE:
            yield Close(CloseReason(int.from_bytes(data[:2]), data[2:].decode()) if data else None)
        else:
            text = text if item.opcode is CONT else item.opcode is TEXT
            message += data
            if item.fin:
                yield message.decode() if text else bytes(message)
                message.clear()


def unmasked(first: int, payload: bytes) -> bytes:
    return frame(first, payload, mask=None)


def stream_of(build: Callable[..., bytes]) -> st.SearchStrategy[bytes]:
    """Give streams of mostly valid frames, with control frames between fragments."""
    short = st.binary(max_size=20) | st.text(max_size=8).map(str.encode)
    long = st.integers(120, 400).map(lambda size: b"x" * size)
    firsts = st.sampled_from((0x81, 0x82, 0x01, 0x00, 0x80, 0x01, 0x80))
    controls = st.sampled_from((0x89, 0x8A))
    closes = st.builds(build, st.just(0x88), st.sampled_from((b"", b"\x03\xe8", b"\x0f\xa0bye", b"\x00", b"\x03\xe7")))
    frames = st.builds(build, firsts, short | long) | st.builds(build, controls, short)
    return st.builds(lambda parts, last: b"".join(parts) + last, st.lists(frames, max_size=6), st.just(b"") | closes)


@st.composite
def broken(draw: st.DrawFn, build: Callable[..., bytes]) -> bytes:
    data = bytearray(draw(stream_of(build)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(data)


def assert_agree(ours: list[Event], theirs: list[Event]) -> None:
    last, before = ours[-1], ours[:-1]
    if isinstance(last, Close):
        # Theirs may instead fail, when the close is inside a fragmented message.
        assert before == theirs[:-1]
        assert theirs[-1] in (last, Failure(CloseReason(1002)))
        return
    assert isinstance(last, Failure)
    if last.reason == CloseReason(1002, "malformed payload length"):
        assert before == theirs[: len(before)]
        return
    failure = theirs[-1]
    assert isinstance(failure, Failure)
    if last.reason.code == 1007:
        assert before == theirs[: len(before)]
        return
    assert before == theirs[:-1]
    assert (last.reason.code, failure.reason.code) in {(1002, 1002), (1009, 1009), (1002, 1009), (1002, 1007)}


@bounded
@given(broken(frame))
def test_server_and_oracle_agree_about_broken_streams(data: bytes) -> None:
    data += FILLER
    assert_agree(Codec(client=False, max_message_size=LIMIT).receive(data), events_of_oracle(data, client=False))


@bounded
@given(broken(unmasked))
def test_client_and_oracle_agree_about_broken_streams(data: bytes) -> None:
    data += FILLER
    assert_agree(Codec(client=True, max_message_size=LIMIT).receive(data), events_of_oracle(data, client=True))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(str.encode)
valid_frames = st.one_of(
    st.builds(Frame, st.just(Opcode.TEXT), texts),
    st.builds(Frame, st.just(Opcode.BINARY), st.binary(max_size=200)),
    st.builds(Frame, st.sampled_from((Opcode.PING, Opcode.PONG)), st.binary(max_size=125)),
)


@bounded
@given(st.booleans(), st.lists(valid_frames, max_size=8))
def test_what_the_oracle_writes_we_read_as_it_does(client: bool, frames: list[Frame]) -> None:
    data = b"".join(item.serialize(mask=not client) for item in frames)
    assert Codec(client=client).receive(data) == list(assemble(frames)) == events_of_oracle(data, client=client)


@bounded
@given(st.booleans(), st.lists(texts.map(bytes.decode) | st.binary(max_size=200), max_size=8))
def test_what_we_write_the_oracle_reads(client: bool, messages: list[str | bytes]) -> None:
    codec = Codec(client=client)
    data = b"".join(codec.text(item) if isinstance(item, str) else codec.binary(item) for item in messages)
    data += codec.ping(b"p") + codec.close(CloseReason(1001, "bye"))
    expected = [*messages, Ping(b"p"), Close(CloseReason(1001, "bye"))]
    assert events_of_oracle(data, client=not client) == expected


@bounded
@given(st.lists(fragmented, max_size=4).map(b"".join))
def test_fragmented_messages_are_the_same(data: bytes) -> None:
    ours = Codec(client=False, max_message_size=LIMIT).receive(data)
    theirs = events_of_oracle(data, client=False)
    assert ours == theirs or (isinstance(ours[-1], Failure) and ours[:-1] == theirs[:-1])
