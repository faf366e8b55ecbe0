from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.wire.masking import apply_mask, compiled_masker, mask_with_integers, new_mask
from tests.wire.support import bounded

if TYPE_CHECKING:
    from flowsock.wire.masking import Masker

COMPILED: Final = compiled_masker()
MASKERS: Final = [mask_with_integers] if COMPILED is None else [mask_with_integers, COMPILED]
every_masker = pytest.mark.parametrize("masker", MASKERS, ids=["integers", "compiled"][: len(MASKERS)])

# Around the word, the small payload, the chunk, and their ends.
SIZES = [*range(10), 123, 124, 125, 126, 127, 128, 129, 8189, 8190, 8191, 8192, 8193, 8194, 8195, 8196, 16384, 16387]


def mask_by_hand(data: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


@every_masker
@pytest.mark.parametrize("mask", [b"\x37\xfa\x21\x3d", b"\0\0\0\1", b"\xff\0\0\0", b"\0\0\0\0", b"\xff\xff\xff\xff"])
@pytest.mark.parametrize("size", SIZES)
def test_every_byte_is_xored_with_its_byte_of_the_mask(size: int, mask: bytes, masker: Masker) -> None:
    data = os.urandom(size)
    assert masker(data, mask) == mask_by_hand(data, mask)


@every_masker
@bounded
@given(st.binary(max_size=600), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_the_data_back(masker: Masker, data: bytes, mask: bytes) -> None:
    masked = masker(data, mask)
    assert masked == mask_by_hand(data, mask)
    assert masker(masked, mask) == data


@every_masker
def test_leading_zeros_survive(masker: Masker) -> None:
    assert masker(b"\x01\x02\x03\x04\x01", b"\x01\x02\x03\x04") == bytes(5)
    assert masker(bytes(9000), bytes(4)) == bytes(9000)


def test_the_compiled_masker_is_used_where_there_is_one() -> None:
    assert apply_mask is (COMPILED or mask_with_integers)


@pytest.mark.parametrize("module", ["websockets", "websockets.speedups"])
def test_without_a_compiled_masker_there_is_none(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flowsock.wire._speedups", None)
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    monkeypatch.setitem(sys.modules, module, None)
    assert compiled_masker() is None


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
