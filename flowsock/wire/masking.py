"""The mask that clients lay over their payloads (RFC 6455 section 5.3)."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Masker = Callable[[bytes, bytes], bytes]

SMALL: Final = 125
"""The longest payload whose length fits into the second byte of a frame."""

# A mask and the payload behind it are read as one number. Its top is the mask; the mask times a row of ones, shifted
# right by the padding, is the mask repeated over that whole number, itself included: there it leaves zero. For small
# payloads rows and paddings come from tables, which `reading` also uses in place.
ONES: Final = tuple(int.from_bytes(b"\0\0\0\1" * ((size + 7) // 4)) for size in range(SMALL + 1))
PADDING: Final = tuple(-size % 4 * 8 for size in range(SMALL + 1))

# Measured: from 2 to 16 KiB all chunks are equally fast; past 64 KiB the integers fall out of the processor's cache.
_CHUNK: Final = 8192
_CHUNK_ONES: Final = int.from_bytes(b"\0\0\0\1" * (_CHUNK // 4))

_BLOCK: Final = 1024
_masks: Final[list[bytes]] = []


def mask_with_integers(data: bytes, mask: bytes) -> bytes:
    """Do what `apply_mask` does, without anything compiled."""
    size = len(data)
    if size <= SMALL:
        number = int.from_bytes(mask + data)
        return (number ^ (number >> 8 * size) * ONES[size] >> PADDING[size]).to_bytes(size)
    key = int.from_bytes(mask)
    if size <= _CHUNK:
        return _apply_to_chunk(data, key)
    pattern = key * _CHUNK_ONES
    whole = size - size % _CHUNK
    chunks = [(int.from_bytes(data[start : start + _CHUNK]) ^ pattern).to_bytes(_CHUNK) for start in range(0, whole, _CHUNK)]
    chunks.append(_apply_to_chunk(data[whole:], key))
    return b"".join(chunks)


def _apply_to_chunk(data: bytes, key: int) -> bytes:
    size = len(data)
    padding = -size % 4
    pattern = key * (_CHUNK_ONES >> 8 * (_CHUNK - size - padding)) >> 8 * padding
    return (int.from_bytes(data) ^ pattern).to_bytes(size)


def compiled_masker() -> Masker | None:
    """Find a masker in C: our own, which an installation has if there was a compiler, or that of the extra ``fast``."""
    for module in ("flowsock.wire._speedups", "websockets.speedups"):
        try:
            masker: Masker = import_module(module).apply_mask
        except ImportError:
            continue
        return masker
    return None


apply_mask: Final[Masker] = compiled_masker() or mask_with_integers
"""Lay a mask over the data, or take it off: applying the same mask twice gives the data back.

Takes the payload, or a piece of it that starts where the mask starts, and the four bytes of the mask (RFC 6455 section 5.3).
"""


def new_mask() -> bytes:
    """Draw a fresh mask that nobody can foresee.

    Drawn in blocks, because asking the system once a frame costs more than encoding the frame.
    """
    while True:
        try:
            return _masks.pop()
        except IndexError:
            block = os.urandom(4 * _BLOCK)
            _masks.extend(block[start : start + 4] for start in range(0, len(block), 4))


if hasattr(os, "register_at_fork"):
    # Parent and child must not go on with the same masks.
    os.register_at_fork(after_in_child=_masks.clear)
