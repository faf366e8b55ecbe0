"""Bytes in pieces, as the first of them say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut the data into pieces of a size; 0 leaves it whole."""
    step = size or max(len(data), 1)
    for start in range(0, len(data), step):
        yield data[start : start + step]
