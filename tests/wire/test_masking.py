from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.wire.masking import apply_mask, new_mask
from tests.wire.support import bounded

# Around the word, the small payload, the chunk, and their ends.
SIZES = [*range(10), 123, 124, 125, 126, 127, 128, 129, 8189, 8190, 8191, 8192, 8193, 8194, 8195, 8196, 16384, 16387]


def mask_by_hand(data: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


@pytest.mark.parametrize("mask", [b"\x37\xfa\x21\x3d", b"\0\0\0\1", b"\xff\0\0\0", b"\0\0\0\0", b"\xff\xff\xff\xff"])
@pytest.mark.parametrize("size", SIZES)
def test_every_byte_is_xored_with_its_byte_of_the_mask(size: int, mask: bytes) -> None:
    data = os.urandom(size)
    assert apply_mask(data, mask) == mask_by_hand(data, mask)


@bounded
@given(st.binary(max_size=600), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_the_data_back(data: bytes, mask: bytes) -> None:
    masked = apply_mask(data, mask)
    assert masked == mask_by_hand(data, mask)
    assert apply_mask(masked, mask) == data


def test_leading_zeros_survive() -> None:
    assert apply_mask(b"\x01\x02\x03\x04\x01", b"\x01\x02\x03\x04") == bytes(5)
    assert apply_mask(bytes(9000), bytes(4)) == bytes(9000)


def test_masks_are_fresh_over_several_blocks() -> None:
    masks = [new_mask() for _ in range(5000)]
    assert {len(mask) for mask in masks} == {4}
    # Two of 5,000 alike has a chance of 0.3 %; eleven alike would be a fault.
    assert len(set(masks)) > 4990


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_draws_masks_of_its_own() -> None:
    new_mask()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        os.write(writer, b"".join(new_mask() for _ in range(16)))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() != b"".join(new_mask() for _ in range(16))
