"""Compressed messages on the wire (RFC 7692 sections 6 and 7.2). The numbers are those of the fault catalog."""

from __future__ import annotations

import gc
import random
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import flowsock.wire.deflater
from flowsock.wire import deflate_codec
from flowsock.wire.close import CloseReason
from flowsock.wire.codec import Codec
from flowsock.wire.deflate import Deflate, DeflateStatistics
from flowsock.wire.deflate_codec import DeflateCodec
from flowsock.wire.frames import Close, Event, Failure, Ping
from tests.wire.support import bounded, cut_lists, events_of, failure_code, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TEXT, BINARY, PING, CLOSE, LAST, MORE = 0x81, 0x82, 0x89, 0x88, 0x80, 0x00
RSV1 = 0x40
HELLO = bytes.fromhex("f248cdc9c90700")
"""The example of RFC 7692 section 7.2.3.1."""

KEEP = Deflate(threshold=1)
FORGET = Deflate(threshold=1, server_no_context_takeover=True, client_no_context_takeover=True)


def reader(agreed: Deflate = KEEP, **limits: Any) -> DeflateCodec:
    return DeflateCodec(agreed, client=False, **limits)


def read(data: bytes, cuts: Iterable[int] = (), **limits: Any) -> list[Event]:
    return events_of(data, cuts, codec=reader(**limits))


def deflated(payload: bytes, *, level: int = 6) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        pytest.param(frame(TEXT | RSV1, HELLO), ["Hello"], id="7.2.3.1 one frame"),
        pytest.param(frame(0x01 | RSV1, HELLO[:3]) + frame(LAST, HELLO[3:]), ["Hello"], id="7.2.3.1 two frames"),
        pytest.param(
            frame(TEXT | RSV1, HELLO) + frame(TEXT | RSV1, bytes.fromhex("f200110000")), ["Hello"] * 2, id="7.2.3.2 the window"
        ),
        pytest.param(frame(TEXT | RSV1, bytes.fromhex("000500faff48656c6c6f00")), ["Hello"], id="7.2.3.3 no compression"),
        pytest.param(frame(TEXT | RSV1, bytes.fromhex("f348cdc9c9070000")), ["Hello"], id="7.2.3.4 BFINAL"),
        pytest.param(
            frame(TEXT | RSV1, bytes.fromhex("f348cdc9c9070000")) + frame(TEXT | RSV1, HELLO), ["Hello"] * 2, id="after BFINAL"
        ),
        pytest.param(frame(TEXT | RSV1, bytes.fromhex("f248050000 00ffff cac9c90700")), ["Hello"], id="7.2.3.5 two blocks"),
        pytest.param(frame(BINARY | RSV1, b"\x00"), [b""], id="7.2.3.6 empty"),
        pytest.param(frame(BINARY | RSV1, b"\x02\x00"), [b""], id="empty, as a fixed block"),
        pytest.param(frame(TEXT, b"plain"), ["plain"], id="plain"),
        pytest.param(
            frame(TEXT | RSV1, HELLO) + frame(TEXT, b"plain") + frame(TEXT | RSV1, bytes.fromhex("f200110000")),
            ["Hello", "plain", "Hello"],
            id="plain between two",
        ),
        pytest.param(frame(0x01, b"pl") + frame(LAST, b"ain"), ["plain"], id="plain fragments"),
        pytest.param(
            frame(0x01 | RSV1, HELLO[:1]) + frame(PING, b"p") + frame(MORE) + frame(LAST, HELLO[1:]),
            [Ping(b"p"), "Hello"],
            id="a ping and nothing between fragments",
        ),
        pytest.param(frame(0x01 | RSV1) + frame(LAST, HELLO), ["Hello"], id="nothing in the first frame"),
        pytest.param(frame(0x01 | RSV1, HELLO) + frame(CLOSE), [Close()], id="49 close inside"),
    ],
)
def test_compressed_messages(data: bytes, events: list[Event]) -> None:
    assert read(data) == events
    assert read(data, range(len(data))) == events


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(PING | RSV1), 1002, id="33 RSV1 on a ping"),
        pytest.param(frame(CLOSE | RSV1), 1002, id="33 RSV1 on a close"),
        pytest.param(frame(0x01 | RSV1, HELLO[:1]) + frame(LAST | RSV1, HELLO[1:]), 1002, id="33 RSV1 on a continuation"),
        pytest.param(frame(0x01, b"a") + frame(LAST | RSV1, b"b"), 1002, id="33 RSV1 on a continuation of plain"),
        pytest.param(frame(0x83 | RSV1), 1002, id="34 RSV1 on an unknown opcode"),
        pytest.param(frame(TEXT | 0x20), 1002, id="32 RSV2"),
        pytest.param(frame(TEXT | RSV1 | 0x10, HELLO), 1002, id="32 RSV1 and RSV3"),
        pytest.param(frame(TEXT | RSV1, HELLO, mask=None), 1002, id="31 unmasked"),
        pytest.param(frame(TEXT | RSV1, b"\xff\xff\xff"), 1007, id="45 no DEFLATE"),
        pytest.param(frame(TEXT | RSV1, b"\x07"), 1007, id="45 a reserved kind of block"),
        pytest.param(frame(TEXT | RSV1, bytes.fromhex("000500faf048656c6c6f00")), 1007, id="45 a wrong complement"),
        pytest.param(frame(0x01 | RSV1, b"\xff\xff\xff"), 1007, id="45 before the message ends"),
        pytest.param(frame(TEXT | RSV1, bytes.fromhex("f200110000")), 1007, id="45 refers to what was not sent"),
        pytest.param(frame(TEXT | RSV1, deflated(b"\xff")), 1007, id="46 not UTF-8"),
        pytest.param(frame(0x01 | RSV1, deflated(b"ok\xff")), 1007, id="46 not UTF-8, before the message ends"),
        pytest.param(frame(TEXT | RSV1, deflated("é".encode()[:1])), 1007, id="46 cut at the end"),
        pytest.param(frame(BINARY | RSV1, length=2**62), 1009, id="37 2^62"),
        pytest.param(frame(BINARY | RSV1, length=2**63), 1002, id="37 2^63"),
        pytest.param(frame(BINARY | RSV1, deflated(bytes(2**20 + 1))), 1009, id="44 one byte over the limit"),
        pytest.param(frame(BINARY | RSV1, deflated(bytes(2**26))), 1009, id="44 64 MiB in 64 KiB"),
        pytest.param(frame(BINARY | RSV1, b"\x03\x00" * 2000), 1008, id="2000 streams in one message"),
    ],
)
def test_faults(data: bytes, code: int) -> None:
    assert failure_code(read(data)) == code
    assert failure_code(read(data, range(min(len(data), 2000)))) == code


@pytest.mark.parametrize("client", [False, True])
def test_32_compression_that_was_not_agreed_on_is_a_fault(client: bool) -> None:
    data = frame(TEXT | RSV1, HELLO, mask=None if client else b"mask")
    assert failure_code(Codec(client=client).receive(data)) == 1002


def test_a_fault_tells_what_it_is() -> None:
    assert read(frame(PING | RSV1)) == [Failure(CloseReason(1002, "compression of what does not start a message"))]
    assert read(frame(TEXT | RSV1, b"\xff")) == [Failure(CloseReason(1007, "corrupt compressed data"))]


def test_40_the_limit_holds_for_what_fragments_inflate_to() -> None:
    codec = reader(max_message_size=1000)
    data = deflated(bytes(1000))
    assert codec.receive(frame(BINARY | RSV1, data)) == [bytes(1000)]
    assert codec.receive(frame(0x02 | RSV1, data[:4]) + frame(LAST, data[4:])) == [bytes(1000)]
    more = deflated(bytes(1001))
    assert failure_code(codec.receive(frame(0x02 | RSV1, more[:4]) + frame(LAST, more[4:]))) == 1009


@pytest.mark.parametrize("size", [1, 100, 1000, 100_000])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_what_cannot_be_compressed_may_be_as_long_as_the_limit(size: int, level: int) -> None:
    payload = random.Random(size).randbytes(size)
    assert read(frame(BINARY | RSV1, deflated(payload, level=level)), max_message_size=size) == [payload]


def test_41_fragments_are_counted() -> None:
    codec = reader(max_fragments=3)
    assert codec.receive(frame(0x02 | RSV1) + frame(MORE) + frame(LAST, HELLO)) == [b"Hello"]
    assert failure_code(codec.receive(frame(0x02 | RSV1) + frame(MORE) * 3)) == 1009


def test_no_limit() -> None:
    assert read(frame(BINARY | RSV1, deflated(bytes(2**22))), max_message_size=None) == [bytes(2**22)]


def test_a_receiver_that_forgets_fails_what_refers_back() -> None:
    codec = reader(FORGET)
    assert codec.receive(frame(TEXT | RSV1, HELLO)) == ["Hello"]
    assert failure_code(codec.receive(frame(TEXT | RSV1, bytes.fromhex("f200110000")))) == 1007


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**16 + 1, 2**16 + 257, 2**17, 3 * 2**16 + 258])
@pytest.mark.parametrize("step", [0, 1, 16])
def test_a_message_is_whole_whatever_the_steps_of_inflation(size: int, step: int) -> None:
    data = frame(BINARY | RSV1, deflated(bytes(size)))
    assert read(data, range(0, len(data), step) if step else ()) == [bytes(size)]


def test_bytes_are_counted_as_they_came_and_as_they_are() -> None:
    codec = reader()
    codec.receive(frame(TEXT | RSV1, HELLO) * 2 + frame(TEXT, b"plain"))
    hello = codec.text("Hello" * 20)
    assert codec.deflate_statistics() == DeflateStatistics(
        sent=100, sent_compressed=len(hello) - 2, received=10, received_compressed=2 * len(HELLO)
    )


# Sending

MESSAGES: list[Event] = ["Hello" * 60, b"\x00" * 300, "é" * 200, b"x" * 70_000]


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("agreed", [KEEP, FORGET])
def test_what_one_end_compresses_the_other_reads(client: bool, agreed: Deflate) -> None:
    sender, receiver = DeflateCodec(agreed, client=client), DeflateCodec(agreed, client=not client)
    for message in MESSAGES * 3:
        data = sender.text(message) if isinstance(message, str) else sender.binary(message)  # type: ignore[arg-type]
        assert data[0] & RSV1
        assert len(data) < 200
        assert receiver.receive(data) == [message]


def test_a_context_makes_the_second_message_shorter() -> None:
    message = random.Random(1).randbytes(300)
    kept, forgotten = (DeflateCodec(agreed, client=True) for agreed in (KEEP, FORGET))
    assert len(kept.binary(message)) > 300
    assert len(kept.binary(message)) < 30
    assert len(forgotten.binary(message)) == len(forgotten.binary(message)) > 300


@pytest.mark.parametrize(
    ("message", "compressed"),
    [("x" * 99, False), ("x" * 100, True), ("é" * 49, False), ("é" * 50, True), ("", False), ("é" * 99, True)],
)
def test_messages_below_the_threshold_are_sent_plain(message: str, compressed: bool) -> None:
    codec = DeflateCodec(Deflate(threshold=100), client=False)
    assert bool(codec.text(message)[0] & RSV1) is compressed
    assert bool(codec.binary(message.encode())[0] & RSV1) is compressed


@pytest.mark.parametrize("client", [False, True])
def test_a_window_of_8_bits_is_read_and_not_written(client: bool) -> None:
    agreed = evolve(KEEP, server_max_window_bits=8, client_max_window_bits=8)
    codec = DeflateCodec(agreed, client=client)
    assert codec.text("x" * 300)[0] == TEXT
    assert codec.receive(frame(TEXT | RSV1, HELLO, mask=None if client else b"mask")) == ["Hello"]


@pytest.mark.parametrize("bits", range(9, 16))
def test_no_message_refers_further_back_than_agreed(bits: int) -> None:
    agreed = evolve(KEEP, client_max_window_bits=bits)
    block = random.Random(bits).randbytes(2**bits)
    codec = DeflateCodec(agreed, client=True)
    sizes = [len(codec.binary(part)) for part in (block, block[: 2 ** (bits - 1)])]
    # What could be referred to is too far back by now.
    assert sizes[1] > 2 ** (bits - 1)


def test_control_frames_are_never_compressed() -> None:
    codec = DeflateCodec(KEEP, client=False)
    assert codec.ping(b"x" * 125)[0] == PING
    assert codec.close(CloseReason(1000, "x" * 100))[0] == CLOSE


def test_text_that_is_no_utf8_leaves_the_context_alone() -> None:
    sender, receiver = DeflateCodec(KEEP, client=True), reader()
    assert receiver.receive(sender.text("a" * 300)) == ["a" * 300]
    with pytest.raises(UnicodeEncodeError):
        sender.text("a\ud800" * 300)
    assert receiver.receive(sender.text("b" * 300)) == ["b" * 300]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
messages = st.lists(
    (texts | st.binary(max_size=50)).flatmap(lambda unit: st.integers(0, 40).map(lambda n: unit * n)), max_size=8
)
agreements = st.builds(
    Deflate,
    server_max_window_bits=st.integers(8, 15),
    client_max_window_bits=st.integers(8, 15),
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    level=st.integers(1, 9),
    mem_level=st.integers(1, 9),
    threshold=st.sampled_from((1, 50)),
)


@bounded
@given(agreements, st.booleans(), messages, cut_lists)
def test_whatever_is_agreed_on_messages_pass(agreed: Deflate, client: bool, sent: list[Event], cuts: list[int]) -> None:
    sender = DeflateCodec(agreed, client=client)
    data = b"".join(sender.text(item) if isinstance(item, str) else sender.binary(item) for item in sent)  # type: ignore[arg-type]
    assert events_of(data, cuts, codec=DeflateCodec(agreed, client=not client)) == sent


# One message to many


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what is compressed, by size."""
    sizes: list[int] = []
    deflate = flowsock.wire.deflater.Deflater.deflate

    def counting(self: flowsock.wire.deflater.Deflater, payload: bytes) -> bytes:
        sizes.append(len(payload))
        return deflate(self, payload)

    monkeypatch.setattr(flowsock.wire.deflater.Deflater, "deflate", counting)
    return sizes


@pytest.mark.parametrize("message", ["to everybody " * 30, b"to everybody " * 30])
def test_a_message_is_compressed_once_for_all_who_start_afresh(message: str | bytes, compressions: list[int]) -> None:
    message = message[:-1]  # an object that nobody has sent yet
    codecs = [DeflateCodec(agreed, client=False) for agreed in (FORGET, FORGET, evolve(FORGET, server_max_window_bits=9))]
    frames = [send(codec, message) for codec in codecs * 3]
    assert len(compressions) == 2
    assert frames[0] is frames[1] is frames[3]
    for data in frames:
        assert DeflateCodec(FORGET, client=True).receive(data) == [message]


def send(codec: Codec, message: str | bytes) -> bytes:
    return codec.text(message) if isinstance(message, str) else codec.binary(message)


@pytest.mark.parametrize(("agreed", "client"), [(KEEP, False), (FORGET, True)])
def test_contexts_and_masks_are_not_shared(agreed: Deflate, client: bool, compressions: list[int]) -> None:
    message = "to everybody " * 30
    frames = [DeflateCodec(agreed, client=client).text(message) for _ in range(3)]
    assert len(compressions) == 3
    assert len({*frames}) == (3 if client else 1)


def test_what_may_change_is_compressed_every_time() -> None:
    message = bytearray(b"first " * 60)
    codecs = [DeflateCodec(FORGET, client=False) for _ in range(2)]
    first = codecs[0].binary(message)
    message[:5] = b"other"
    assert codecs[1].binary(message) != first


def test_only_the_last_message_is_remembered_and_only_if_it_is_small() -> None:
    codec = DeflateCodec(FORGET, client=False)
    small, large = "s" * 1000, "l" * (2**20 + 1)
    codec.text(small)
    assert deflate_codec._memo[0] is small
    codec.text(large)
    assert deflate_codec._memo[0] is small
    for bits in range(9, 16):
        for level in range(1, 10):
            DeflateCodec(evolve(FORGET, server_max_window_bits=bits, level=level), client=False).text(small)
    assert len(deflate_codec._memo[1]) <= 16


# Memory


def kept_by(work: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def peak_of(work: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_nothing_is_held_before_the_first_compressed_message() -> None:
    codecs: list[DeflateCodec] = []
    assert kept_by(lambda: codecs.extend(DeflateCodec(KEEP, client=False) for _ in range(100))) < 100 * 700


def test_44_a_bomb_takes_no_more_memory_than_the_limit_allows() -> None:
    limit = 2**18
    bomb = frame(BINARY | RSV1, deflated(bytes(2**26)))
    codec = reader(max_message_size=limit)
    assert peak_of(lambda: codec.receive(bomb)) < limit + 2**16 + 4 * 2**16 + len(bomb)
