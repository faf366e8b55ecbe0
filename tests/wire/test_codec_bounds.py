"""What a peer can cost: time linear in its bytes, memory bounded by the limits."""

from __future__ import annotations

import gc
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from flowsock.wire.codec import Codec
from tests.wire.support import frame

if TYPE_CHECKING:
    from collections.abc import Callable

KIB = 1024


def seconds(work: Callable[[], object]) -> float:
    """Measure the processor time of the fastest of three runs."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def in_single_bytes(data: bytes) -> None:
    codec = Codec(client=False)
    for index in range(len(data)):
        codec.receive(data[index : index + 1])


def in_one_read(data: bytes) -> None:
    Codec(client=False).receive(data)


def growth(work: Callable[[bytes], None], small: bytes, large: bytes) -> float:
    """Compare the cost of a byte: 1 is linear, the ratio of the sizes would be quadratic."""
    return seconds(lambda: work(large)) / seconds(lambda: work(small)) * len(small) / len(large)


@pytest.mark.parametrize("first", [0x81, 0x82])
def test_42_a_frame_in_single_bytes_takes_linear_time(first: int) -> None:
    assert growth(in_single_bytes, frame(first, b"x" * 5_000), frame(first, b"x" * 80_000)) < 4


def test_many_small_frames_in_one_read_take_linear_time() -> None:
    assert growth(in_one_read, frame(0x81, b"x" * 20) * 2_000, frame(0x81, b"x" * 20) * 32_000) < 4


def test_many_fragments_in_one_read_take_linear_time() -> None:
    more = frame(0x00, b"x" * 20)
    assert growth(in_one_read, frame(0x01) + more * 2_000, frame(0x01) + more * 32_000) < 4


def test_a_large_frame_is_unmasked_in_linear_time() -> None:
    assert growth(in_one_read, frame(0x82, bytes(60 * KIB)), frame(0x82, bytes(960 * KIB))) < 4


def peak_while(work: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("first", [0x81, 0x82])
def test_42_a_frame_in_small_reads_takes_at_most_twice_its_size(first: int) -> None:
    size = 1000 * KIB
    data = frame(first, b"x" * size)
    reads = [data[start : start + 1000] for start in range(0, len(data), 1000)]
    codec = Codec(client=False)

    def work() -> None:
        for read in reads:
            codec.receive(read)

    assert size < peak_while(work) < 2.25 * size


def test_37_a_declared_length_takes_no_memory() -> None:
    codec = Codec(client=False, max_message_size=None)
    data = frame(0x82, b"x", length=2**62)
    assert peak_while(lambda: codec.receive(data)) < 4 * KIB


def test_37_a_refused_frame_is_not_kept() -> None:
    codec = Codec(client=False)
    head, payload = frame(0x82, length=2**21), bytes(64 * KIB)

    def work() -> None:
        codec.receive(head)
        for _ in range(32):
            codec.receive(payload)

    assert peak_while(work) < 8 * KIB


def test_a_connection_takes_little_memory() -> None:
    codecs: list[Codec] = []
    assert peak_while(lambda: codecs.extend(Codec(client=False) for _ in range(100))) < 100 * 200


def test_an_idle_connection_keeps_nothing_of_what_it_read() -> None:
    codec = Codec(client=False)
    data = frame(0x82, bytes(500 * KIB))
    reads = [data[:300_000], data[300_000:]]
    tracemalloc.start()
    try:
        for read in reads:
            codec.receive(read)
        assert tracemalloc.get_traced_memory()[0] < 4 * KIB
    finally:
        tracemalloc.stop()


def test_a_failed_connection_keeps_nothing_of_what_it_read() -> None:
    codec = Codec(client=False)
    reads = [frame(0x02, bytes(500 * KIB)), frame(0x83)]
    tracemalloc.start()
    try:
        for read in reads:
            codec.receive(read)
        assert tracemalloc.get_traced_memory()[0] < 4 * KIB
    finally:
        tracemalloc.stop()
