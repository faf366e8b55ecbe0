"""The rules of RFC 6455, one by one. The numbers are those of the fault catalog (reliability.md section 6)."""

from __future__ import annotations

import pytest

from flowsock.wire.close import CloseReason
from flowsock.wire.codec import Codec
from flowsock.wire.frames import Close, Event, Failure, Ping, Pong
from tests.wire.support import events_of, failure_code, frame

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
TEXT_START, BINARY_START, MORE, LAST = 0x01, 0x02, 0x00, 0x80


@pytest.mark.parametrize(
    ("data", "events"),
    [
        pytest.param(frame(TEXT, b"Hello"), ["Hello"], id="text"),
        pytest.param(frame(TEXT), [""], id="empty text"),
        pytest.param(frame(BINARY, b"\xff\x00"), [b"\xff\x00"], id="binary"),
        pytest.param(frame(BINARY), [b""], id="empty binary"),
        pytest.param(frame(TEXT, "κόσμε".encode()), ["κόσμε"], id="text beyond ASCII"),
        pytest.param(frame(TEXT, b"x" * 125), ["x" * 125], id="longest small frame"),
        pytest.param(frame(TEXT, b"x" * 126), ["x" * 126], id="shortest 16-bit length"),
        pytest.param(frame(BINARY, b"x" * 65535), [b"x" * 65535], id="longest 16-bit length"),
        pytest.param(frame(BINARY, b"x" * 65536), [b"x" * 65536], id="shortest 64-bit length"),
        pytest.param(frame(TEXT, b"a", mask=b"\0\0\0\0"), ["a"], id="mask of zeros"),
        pytest.param(frame(TEXT, b"a") + frame(BINARY, b"b") + frame(TEXT, b"c"), ["a", b"b", "c"], id="many"),
        pytest.param(frame(PING, b"p"), [Ping(b"p")], id="ping"),
        pytest.param(frame(PING), [Ping()], id="empty ping"),
        pytest.param(frame(PING, b"x" * 125), [Ping(b"x" * 125)], id="longest ping"),
        pytest.param(frame(PONG, b"p"), [Pong(b"p")], id="unasked pong"),
        pytest.param(frame(TEXT_START, b"a") + frame(LAST, b"b"), ["ab"], id="two fragments"),
        pytest.param(frame(BINARY_START, b"\xff") + frame(MORE) + frame(LAST), [b"\xff"], id="empty fragments"),
        pytest.param(
            frame(TEXT_START, b"a") + frame(PING, b"p") + frame(MORE, b"b") + frame(PONG) + frame(LAST, b"c"),
            [Ping(b"p"), Pong(), "abc"],
            id="control frames between fragments",
        ),
        pytest.param(
            frame(TEXT_START, "é".encode()[:1]) + frame(LAST, "é".encode()[1:]), ["é"], id="code point over fragments"
        ),
        pytest.param(frame(TEXT_START, b"a") + frame(CLOSE), [Close()], id="49 close inside a fragmented message"),
        pytest.param(frame(CLOSE), [Close()], id="empty close"),
        pytest.param(frame(CLOSE, b"\x03\xe8"), [Close(CloseReason(1000))], id="close with a code"),
        pytest.param(frame(CLOSE, b"\x0b\xb8so"), [Close(CloseReason(3000, "so"))], id="close with a code and message"),
        pytest.param(
            frame(CLOSE, b"\x03\xe9" + b"x" * 123), [Close(CloseReason(1001, "x" * 123))], id="close as long as can be"
        ),
        pytest.param(frame(TEXT, b"a") + frame(CLOSE) + frame(TEXT, b"b"), ["a", Close()], id="50 data after close"),
        pytest.param(frame(CLOSE) + frame(CLOSE, b"\x03\xe8"), [Close()], id="50 second close"),
        pytest.param(frame(TEXT, b"Hello")[:-1], [], id="incomplete frame"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_valid_frames_give_their_events(data: bytes, events: list[Event]) -> None:
    assert events_of(data) == events
    assert events_of(data, range(min(len(data), 2000))) == events


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(TEXT, b"Hi", mask=None), 1002, id="31 unmasked frame from a client"),
        pytest.param(frame(CLOSE, mask=None), 1002, id="31 unmasked close from a client"),
        pytest.param(frame(TEXT | 0x40, b"Hi"), 1002, id="32 RSV1"),
        pytest.param(frame(TEXT | 0x20, b"Hi"), 1002, id="32 RSV2"),
        pytest.param(frame(TEXT | 0x10, b"Hi"), 1002, id="32 RSV3"),
        pytest.param(frame(PING | 0x40), 1002, id="33 RSV1 on a ping"),
        pytest.param(frame(TEXT_START | 0x40), 1002, id="33 RSV1 on a fragment"),
        *(pytest.param(frame(0x80 | code), 1002, id=f"34 opcode {code:X}") for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        *(pytest.param(frame(0x80 | code, b"x" * 126), 1002, id=f"35 opcode {code:X} of 126") for code in (8, 9, 10)),
        *(pytest.param(frame(code), 1002, id=f"35 opcode {code:X} fragmented") for code in (8, 9, 10)),
        pytest.param(frame(LAST, b"x"), 1002, id="36 last continuation of nothing"),
        pytest.param(frame(MORE, b"x"), 1002, id="36 continuation of nothing"),
        pytest.param(frame(TEXT_START) + frame(TEXT), 1002, id="36 new text inside a message"),
        pytest.param(frame(BINARY_START) + frame(BINARY_START), 1002, id="36 new fragmented binary inside a message"),
        pytest.param(frame(BINARY, length=2**20 + 1), 1009, id="37 one byte over the limit"),
        pytest.param(frame(BINARY, length=2**62), 1009, id="37 2^62"),
        pytest.param(frame(BINARY, length=2**63 - 1), 1009, id="37 2^63-1"),
        pytest.param(frame(BINARY, length=2**63), 1002, id="37 2^63"),
        pytest.param(frame(BINARY, length=2**64 - 1), 1002, id="37 2^64-1"),
        pytest.param(frame(TEXT_START, b"a") + frame(LAST, length=2**63 - 1), 1009, id="38 fragment of 2^63-1"),
        pytest.param(b"\x82\xfe\x00\x7d" + bytes(4 + 125), 1002, id="39 125 in 16 bits"),
        pytest.param(b"\x82\xff" + (65535).to_bytes(8) + bytes(4), 1002, id="39 65535 in 64 bits"),
        pytest.param(b"\x82\xff" + (5).to_bytes(8) + bytes(4), 1002, id="39 5 in 64 bits"),
        pytest.param(frame(BINARY_START, b"a") + frame(LAST, length=2**20), 1009, id="40 fragments over the limit"),
        pytest.param(frame(TEXT, b"\xff"), 1007, id="43 not UTF-8"),
        pytest.param(frame(TEXT, b"\xff" * 200), 1007, id="43 not UTF-8, 16-bit length"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), 1007, id="43 surrogate"),
        pytest.param(frame(TEXT, b"\xc0\xaf"), 1007, id="43 overlong"),
        pytest.param(frame(TEXT, b"\xf4\x90\x80\x80"), 1007, id="43 beyond U+10FFFF"),
        pytest.param(frame(TEXT, "é".encode()[:1]), 1007, id="43 cut at the end"),
        pytest.param(frame(TEXT_START, "é".encode()[:1]) + frame(LAST), 1007, id="43 cut at the end of fragments"),
        pytest.param(frame(TEXT_START, b"\xce") + frame(MORE, b"\xce"), 1007, id="43 split, before the end"),
        pytest.param(frame(TEXT, b"ok\xff", length=100), 1007, id="43 in a frame that is not all there"),
        pytest.param(frame(TEXT, b"\xf4\x90", length=1000), 1007, id="43 inside a code point that cannot come"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="47 close of one byte"),
        *(
            pytest.param(frame(CLOSE, code.to_bytes(2)), 1002, id=f"47 close code {code}")
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
        ),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, id="48 close message not UTF-8"),
        pytest.param(frame(CLOSE, b"\x03\xe8\xc3"), 1007, id="48 close message cut"),
    ],
)
def test_faults_of_a_client_fail(data: bytes, code: int) -> None:
    assert failure_code(events_of(data)) == code
    assert failure_code(events_of(data, range(min(len(data), 2000)))) == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(TEXT, b"Hi"), 1002, id="masked frame from a server"),
        pytest.param(frame(PING), 1002, id="masked ping from a server"),
        pytest.param(frame(TEXT | 0x40, b"Hi", mask=None), 1002, id="RSV1"),
        pytest.param(frame(0x83, mask=None), 1002, id="unknown opcode"),
        pytest.param(frame(TEXT, b"\xff", mask=None), 1007, id="not UTF-8"),
        pytest.param(frame(TEXT, length=2**20 + 1, mask=None), 1009, id="over the limit"),
        pytest.param(b"\x82\x7e\x00\x05hello", 1002, id="non-minimal length"),
    ],
)
def test_faults_of_a_server_fail(data: bytes, code: int) -> None:
    assert failure_code(Codec(client=True).receive(data)) == code


@pytest.mark.parametrize(
    ("data", "events"),
    [
        pytest.param(frame(TEXT, b"Hello", mask=None), ["Hello"], id="small"),
        pytest.param(frame(BINARY, b"x" * 70000, mask=None), [b"x" * 70000], id="large"),
        pytest.param(frame(TEXT_START, b"a", mask=None) + frame(LAST, b"b", mask=None), ["ab"], id="fragments"),
        pytest.param(frame(CLOSE, b"\x03\xe8", mask=None), [Close(CloseReason(1000))], id="close"),
    ],
)
def test_a_client_reads_unmasked_frames(data: bytes, events: list[Event]) -> None:
    assert Codec(client=True).receive(data) == events


def test_events_before_a_fault_are_given() -> None:
    events = events_of(frame(TEXT, b"a") + frame(PING) + frame(TEXT, b"\xff") + frame(TEXT, b"b"))
    assert events[:2] == ["a", Ping()]
    assert failure_code(events[2:]) == 1007


@pytest.mark.parametrize("end", [frame(CLOSE), frame(0x83)])
def test_nothing_comes_after_the_end(end: bytes) -> None:
    codec = Codec(client=False)
    assert len(codec.receive(end)) == 1
    assert codec.receive(frame(TEXT, b"late")) == []
    assert codec.receive(frame(0x83)) == []


def test_a_fault_tells_what_it_is() -> None:
    assert events_of(frame(0xC1)) == [Failure(CloseReason(1002, "reserved bits are set"))]


@pytest.mark.parametrize("size", [10, 200])
def test_message_as_long_as_the_limit_passes_and_one_longer_fails(size: int) -> None:
    codec = Codec(client=False, max_message_size=size)
    assert codec.receive(frame(TEXT, b"x" * size)) == ["x" * size]
    assert failure_code(codec.receive(frame(TEXT, b"x" * (size + 1)))) == 1009


def test_the_limit_holds_for_the_sum_of_fragments() -> None:
    codec = Codec(client=False, max_message_size=10)
    assert codec.receive(frame(TEXT_START, b"x" * 4) + frame(LAST, b"x" * 6)) == ["x" * 10]
    assert codec.receive(frame(TEXT_START, b"x" * 4) + frame(MORE, b"x" * 6)) == []
    assert failure_code(codec.receive(frame(LAST, b"x"))) == 1009


def test_no_limit() -> None:
    codec = Codec(client=False, max_message_size=None)
    assert codec.receive(frame(BINARY, length=2**62)) == []


def test_the_limit_may_be_changed_on_the_way() -> None:
    codec = Codec(client=False, max_message_size=10)
    assert codec.receive(frame(TEXT, b"x" * 10)) == ["x" * 10]
    codec.max_message_size = 300
    assert codec.receive(frame(TEXT, b"x" * 300)) == ["x" * 300]
    codec.max_message_size = 5
    assert failure_code(codec.receive(frame(TEXT, b"x" * 6))) == 1009


def test_the_limit_does_not_hold_for_control_frames() -> None:
    assert events_of(frame(PING, b"x" * 125), codec=Codec(client=False, max_message_size=1)) == [Ping(b"x" * 125)]


def test_fragments_are_counted_in_each_message() -> None:
    codec = Codec(client=False, max_fragments=3)
    three = frame(TEXT_START, b"a") + frame(MORE) + frame(LAST, b"b")
    assert codec.receive(three + three) == ["ab", "ab"]
    assert failure_code(codec.receive(frame(TEXT_START) + frame(MORE) * 3)) == 1009


def test_41_a_flood_of_empty_fragments_ends_at_the_default_limit() -> None:
    assert events_of(frame(TEXT_START) + frame(MORE) * 131_071) == []
    assert failure_code(events_of(frame(TEXT_START) + frame(MORE) * 131_072)) == 1009


def test_text_is_refused_before_its_frame_is_there() -> None:
    codec = Codec(client=False)
    data = frame(TEXT, b"good" * 50 + b"\xff" + b"good" * 50)
    bad = data.index(bytes((0xFF ^ 0x37,)), 8)  # 200 is a multiple of four: the first byte of the mask
    assert codec.receive(data[:bad]) == []
    assert failure_code(codec.receive(data[bad : bad + 1])) == 1007


@pytest.mark.parametrize("message", ["", "Hello", "é" * 500, "x" * 70000])
@pytest.mark.parametrize("client", [False, True])
def test_text_round_trip(message: str, client: bool) -> None:
    assert Codec(client=not client).receive(Codec(client=client).text(message)) == [message]


@pytest.mark.parametrize("message", [b"", b"\xff\x00", bytes(70000)])
@pytest.mark.parametrize("client", [False, True])
def test_binary_round_trip(message: bytes, client: bool) -> None:
    sender, receiver = Codec(client=client), Codec(client=not client)
    for form in (message, bytearray(message), memoryview(message)):
        assert receiver.receive(sender.binary(form)) == [message]


def test_binary_takes_views_that_are_not_plain_bytes() -> None:
    view = memoryview(bytes(range(8)))
    assert Codec(client=True).receive(Codec(client=False).binary(view[::2])) == [b"\x00\x02\x04\x06"]
    assert Codec(client=True).receive(Codec(client=False).binary(view.cast("I"))) == [bytes(range(8))]


@pytest.mark.parametrize("client", [False, True])
def test_control_round_trip(client: bool) -> None:
    sender, receiver = Codec(client=client), Codec(client=not client)
    assert receiver.receive(sender.ping(b"a") + sender.ping() + sender.pong(b"b")) == [Ping(b"a"), Ping(), Pong(b"b")]
    assert receiver.receive(sender.close(CloseReason(4000, "é" * 61))) == [Close(CloseReason(4000, "é" * 61))]


@pytest.mark.parametrize("reason", [None, CloseReason(1005)])
def test_empty_close_is_written_for_no_reason(reason: CloseReason | None) -> None:
    assert Codec(client=False).close(reason) == b"\x88\x00"


def test_what_cannot_be_sent_is_refused() -> None:
    codec = Codec(client=False)
    with pytest.raises(ValueError, match="125"):
        codec.ping(b"x" * 126)
    with pytest.raises(ValueError, match="125"):
        codec.pong(b"x" * 126)
    with pytest.raises(ValueError, match="1006"):
        codec.close(CloseReason(1006))
    with pytest.raises(UnicodeEncodeError):
        codec.text("\ud800")


def test_one_message_for_many_sessions_is_encoded_once() -> None:
    text, data = "x" * 1000 + str(id(object())), bytes(1000)
    assert Codec(client=False).text(text) is Codec(client=False).text(text)
    assert Codec(client=False).binary(data) is Codec(client=False).binary(data)


def test_a_client_masks_every_frame_afresh() -> None:
    codec = Codec(client=True)
    assert codec.text("same") != codec.text("same")
    assert codec.binary(b"same") != codec.binary(b"same")


def test_a_message_that_may_change_is_encoded_each_time() -> None:
    message = bytearray(b"one")
    codec = Codec(client=False)
    assert codec.binary(message).endswith(b"one")
    message[:] = b"two"
    assert codec.binary(message).endswith(b"two")


def test_a_huge_message_is_not_remembered() -> None:
    message = "x" * 2**21
    codec = Codec(client=False)
    assert codec.text(message) is not codec.text(message)


def test_equal_messages_of_either_kind_are_not_confused() -> None:
    codec = Codec(client=False)
    assert codec.text("") == b"\x81\x00"
    assert codec.binary(b"") == b"\x82\x00"
    assert codec.text("") == b"\x81\x00"
