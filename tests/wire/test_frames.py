from __future__ import annotations

import pytest

from flowsock.errors import ProtocolError
from flowsock.wire.close import CloseReason
from flowsock.wire.frames import (
    BINARY,
    TEXT,
    Close,
    Failure,
    FrameHeader,
    Ping,
    Pong,
    encode_close,
    encode_frame,
    parse_close,
    parse_header,
)
from flowsock.wire.masking import apply_mask
from tests.wire.support import MASK, frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("masked", [False, True])
def test_header_of_every_length_form_reads_back(size: int, masked: bool) -> None:
    payload = b"x" * size
    data = encode_frame(BINARY, payload, masked=masked)
    header = parse_header(data, 0, masked=masked)
    assert header is not None
    assert header == FrameHeader(True, False, BINARY, size, header.mask, len(data) - size)
    assert len(header.mask) == (4 if masked else 0)
    body = data[header.size :]
    assert (apply_mask(body, header.mask) if masked else body) == payload


@pytest.mark.parametrize("size", [0, 5, 125, 126, 65535, 65536])
def test_unmasked_frame_is_what_one_builds_by_hand(size: int) -> None:
    assert encode_frame(TEXT, b"x" * size, masked=False) == frame(0x81, b"x" * size, mask=None)


def test_examples_of_the_rfc() -> None:
    """RFC 6455 section 5.7."""
    assert encode_frame(TEXT, b"Hello", masked=False) == bytes.fromhex("810548656c6c6f")
    assert parse_header(bytes.fromhex("818537fa213d7f9f4d5158"), 0, masked=True) == FrameHeader(True, False, TEXT, 5, MASK, 6)


def test_two_masked_frames_never_look_alike() -> None:
    assert encode_frame(TEXT, b"same", masked=True) != encode_frame(TEXT, b"same", masked=True)


@pytest.mark.parametrize("size", [3, 200, 70000])
def test_incomplete_header_is_awaited(size: int) -> None:
    data = frame(0x82, b"x" * size)
    header = parse_header(data, 0, masked=True)
    assert header is not None
    assert all(parse_header(data[:cut], 0, masked=True) is None for cut in range(header.size))


def test_header_is_read_at_its_position() -> None:
    assert parse_header(b"junk" + frame(0x89, b"hi"), 4, masked=True) == FrameHeader(True, False, 9, 2, MASK, 6)


def test_a_fault_in_the_first_two_bytes_is_told_without_the_rest() -> None:
    with pytest.raises(ProtocolError, match="reserved"):
        parse_header(b"\xc1\xff", 0, masked=True)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", None),
        (b"\x03\xe8", CloseReason(1000)),
        (b"\x03\xe8bye", CloseReason(1000, "bye")),
        (b"\x0f\xa0" + "é".encode(), CloseReason(4000, "é")),
    ],
)
def test_close_payload_both_ways(payload: bytes, reason: CloseReason | None) -> None:
    assert parse_close(payload) == reason
    assert encode_close(reason) == payload


def test_no_status_is_written_as_an_empty_payload() -> None:
    assert encode_close(CloseReason(1005)) == b""


@pytest.mark.parametrize("code", [999, 1004, 1006, 1015, 2999, 5000])
def test_close_code_that_must_not_be_sent_is_not_written(code: int) -> None:
    with pytest.raises(ValueError, match="must not be sent"):
        encode_close(CloseReason(code))


def test_events_show_what_they_hold() -> None:
    events = [Ping(b"a"), Pong(), Close(), Failure(CloseReason(1002, "x"))]
    assert repr(events) == (
        "[Ping(payload=b'a'), Pong(payload=b''), Close(reason=None), Failure(reason=CloseReason(code=1002, message='x'))]"
    )
