"""RFC 6455 frame by frame."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock import CloseReason, Frame, Opcode
from flowsock.wire.frame_codec import FrameCodec
from flowsock.wire.frames import Failure
from tests.wire.support import bounded, cut_lists, events_of, failure_code, frame


def server(limit: int | None = 2**20) -> FrameCodec:
    return FrameCodec(client=False, max_message_size=limit)


payloads = st.binary(max_size=300)
flags = st.booleans()
data_frames = st.builds(Frame, st.sampled_from([Opcode.TEXT, Opcode.BINARY]), payloads, rsv1=flags, rsv2=flags, rsv3=flags)
control_frames = st.builds(Frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125), rsv3=flags)
streams = st.lists(st.one_of(data_frames, control_frames), max_size=6)


@bounded
@given(streams, st.booleans(), cut_lists)
def test_what_is_written_is_read_however_it_is_cut(frames: list[Frame], from_client: bool, cuts: list[int]) -> None:
    sender, receiver = FrameCodec(client=from_client), FrameCodec(client=not from_client)
    data = b"".join(map(sender.frame, frames))
    assert events_of(data, cuts, codec=receiver) == frames


def test_fragments_and_control_frames_between_them_are_visible() -> None:
    data = frame(0x01, b"a") + frame(0x89, b"p") + frame(0x00, b"b") + frame(0x80, b"c") + frame(0x82, b"")
    assert server().receive(data) == [
        Frame(Opcode.TEXT, b"a", final=False),
        Frame(Opcode.PING, b"p"),
        Frame(Opcode.CONTINUATION, b"b", final=False),
        Frame(Opcode.CONTINUATION, b"c"),
        Frame(Opcode.BINARY),
    ]


def test_text_is_not_looked_at() -> None:
    assert server().receive(frame(0x81, b"\xff")) == [Frame(Opcode.TEXT, b"\xff")]


@pytest.mark.parametrize(
    "data",
    [
        frame(0x81, b"", mask=None),
        frame(0x83, b""),
        frame(0x09, b""),
        frame(0x89, b"x" * 126),
        frame(0x80, b""),
        frame(0x01, b"") + frame(0x81, b""),
        frame(0x88, b"\x03"),
        frame(0x88, b"\x03\xed"),
        b"\x82\xfe\x00\x01mask",
        b"\x82\xff" + b"\xff" * 8 + b"mask",
    ],
)
def test_a_fault_ends_it_with_1002(data: bytes) -> None:
    codec = server()
    assert failure_code(codec.receive(data)[-1:]) == 1002
    assert codec.receive(frame(0x81, b"")) == []


def test_a_close_reason_that_is_not_utf8_is_1007() -> None:
    assert failure_code(server().receive(frame(0x88, b"\x03\xe8\xff"))) == 1007


@pytest.mark.parametrize("size", [0, 126])
def test_a_frame_over_the_limit_is_1009_before_its_payload_comes(size: int) -> None:
    codec = server(limit=1000)
    assert codec.receive(frame(0x82, b"x" * 1000)) == [Frame(Opcode.BINARY, b"x" * 1000)]
    assert failure_code(codec.receive(frame(0x82, b"x" * 1001)[: 8 + size])) == 1009


def test_the_limit_is_of_frames_not_of_messages() -> None:
    codec = server(limit=10)
    assert len(codec.receive(frame(0x02, b"x" * 10) + frame(0x80, b"x" * 10))) == 2


def test_nothing_is_read_after_a_close() -> None:
    codec = server()
    assert codec.receive(frame(0x88, b"\x03\xe8") + frame(0x81, b"")) == [Frame.close(1000)]
    assert codec.receive(frame(0x83, b"")) == []


def test_a_long_frame_in_single_bytes_is_read_in_linear_time() -> None:
    def seconds(size: int) -> float:
        codec, data = server(limit=None), frame(0x82, b"x" * size)
        start = time.process_time()
        for index in range(len(data) - 1):
            assert codec.receive(data[index : index + 1]) == []
        assert len(codec.receive(data[-1:])) == 1
        return time.process_time() - start

    # Quadratic would be sixteen times as much for four times the bytes, and far more in all.
    assert min(seconds(80_000) for _ in range(3)) < 10 * min(seconds(20_000) for _ in range(3))


def test_failures_tell_why() -> None:
    assert server(limit=5).receive(frame(0x82, b"123456")) == [Failure(CloseReason(1009, "frame longer than 5 bytes"))]
