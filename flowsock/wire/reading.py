"""Whole messages out of received bytes: the fast path of reading (RFC 6455 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flowsock.wire.frames import BINARY, FINAL, MASKED, SHORT, TEXT
from flowsock.wire.masking import ONES, PADDING, SMALL, apply_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[bytes, int, bool, int | None, list[Any]], int]

_FINAL_TEXT: Final = FINAL | TEXT
_FINAL_BINARY: Final = FINAL | BINARY
# What the second byte of a frame begins with, and how long a small frame is without its payload.
_MASKED: Final = (MASKED, 6)
_UNMASKED: Final = (0, 2)
_from_bytes: Final = int.from_bytes


def read_in_python(data: bytes, position: int, masked: bool, limit: int | None, events: list[Any]) -> int:
    """Do what `read_messages` does, without anything compiled."""
    mask_bit, overhead = _MASKED if masked else _UNMASKED
    end = len(data)
    while position + overhead <= end:
        first = data[position]
        if first != _FINAL_BINARY and first != _FINAL_TEXT:
            break
        size = data[position + 1] - mask_bit
        start = position + overhead
        if not 0 <= size <= SMALL:
            if size != SHORT or start + 2 > end:
                break
            size = data[position + 2] << 8 | data[position + 3]
            if size <= SMALL:
                break
            start += 2
        stop = start + size
        if stop > end or (limit is not None and size > limit):
            break
        if not masked:
            payload = data[start:stop]
        elif size > SMALL:
            payload = apply_mask(data[start:stop], data[start - 4 : start])
        else:
            # apply_mask() in place: calling it would cost a fifth more for the whole frame.
            number = _from_bytes(data[start - 4 : stop])
            payload = (number ^ (number >> 8 * size) * ONES[size] >> PADDING[size]).to_bytes(size)
        events.append(payload if first == _FINAL_BINARY else payload.decode())
        position = stop
    return position


def compiled_reader() -> Reader | None:
    """Find a reader in C, which an installation has if there was a compiler."""
    try:
        from flowsock.wire._speedups import read_messages as reader
    except ImportError:
        return None
    return reader


read_messages: Final[Reader] = compiled_reader() or read_in_python
"""Read messages of one plain frame of at most 64 KiB each, and give the position of whatever is no such frame.

Takes the bytes, the position to start from, whether frames must be masked, the longest message allowed, and the list that the
messages are put into. Raises nothing but ``UnicodeDecodeError``; what was read before the bad text is in the list then.
"""
