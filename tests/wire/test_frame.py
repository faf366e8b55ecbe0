"""Frames as values."""

from __future__ import annotations

import pytest

from flowsock import CloseReason, Frame, Opcode


def test_a_frame_says_what_it_is() -> None:
    frame = Frame(Opcode.TEXT, "ä", final=False, rsv1=True)
    assert frame.payload == "ä".encode()
    assert (frame.final, frame.rsv1, frame.rsv2, frame.rsv3) == (False, True, False, False)
    assert frame == Frame(1, b"\xc3\xa4", final=False, rsv1=True)
    assert "Opcode.TEXT" in repr(frame)


def test_a_payload_is_copied() -> None:
    changing = bytearray(b"a")
    frame = Frame(Opcode.BINARY, changing)
    changing[0] = 0
    assert frame.payload == b"a"
    assert Frame(Opcode.BINARY, memoryview(b"abc")[1:]).payload == b"bc"


def test_a_close_says_why() -> None:
    assert Frame.close(4000, "why") == Frame(Opcode.CLOSE, b"\x0f\xa0why")
    assert Frame.close(4000, "why").close_reason == CloseReason(4000, "why")
    assert Frame.close() == Frame(Opcode.CLOSE)
    assert Frame.close().close_reason is None
    with pytest.raises(ValueError, match="TEXT is no Close"):
        _ = Frame(Opcode.TEXT, b"\x0f\xa0").close_reason


@pytest.mark.parametrize("opcode", list(Opcode))
def test_control_frames_are_those_from_8_on(opcode: Opcode) -> None:
    assert opcode.is_control is (opcode >= 8)


@pytest.mark.parametrize("opcode", [3, 7, 11, 15, 16, -1])
def test_there_is_no_other_opcode(opcode: int) -> None:
    with pytest.raises(ValueError, match="is not a valid Opcode"):
        Frame(opcode)


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG, Opcode.CLOSE])
def test_a_control_frame_is_short_and_whole(opcode: Opcode) -> None:
    with pytest.raises(ValueError, match="at most 125 bytes"):
        Frame(opcode, b"\x03\xe8" + b"x" * 124)
    with pytest.raises(ValueError, match="cannot be fragmented"):
        Frame(opcode, final=False)


@pytest.mark.parametrize("payload", [b"\x03", b"\x03\xed", b"\x03\xe7", b"\x03\xe8\xff"])
def test_a_malformed_close_cannot_be_made(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 one of them is the decoder's own error
        Frame(Opcode.CLOSE, payload)
