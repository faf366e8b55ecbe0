"""What the wire tests share: frames built by hand, bytes cut into pieces, bounded property tests."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from hypothesis import settings
from hypothesis import strategies as st

from flowsock.wire.codec import Codec
from flowsock.wire.frames import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flowsock.wire.frames import Event

MASK: Final = b"\x37\xfa\x21\x3d"
"""The mask of RFC 6455 section 5.7."""

bounded = settings(max_examples=150, deadline=None, database=None)


def frame(first: int, payload: bytes = b"", *, mask: bytes | None = MASK, length: int | None = None) -> bytes:
    """Build a frame byte by byte, with any first byte, and with a declared length that may be a lie."""
    size = len(payload) if length is None else length
    bit = 0 if mask is None else 0x80
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """Cut the data at these places."""
    start = 0
    for cut in sorted({cut % (len(data) + 1) for cut in cuts}):
        yield data[start:cut]
        start = cut
    yield data[start:]


def events_of(data: bytes, cuts: Iterable[int] = (), *, codec: Codec | None = None) -> list[Event]:
    """Give a server's events for these bytes."""
    codec = codec or Codec(client=False)
    return [event for piece in pieces(data, cuts) for event in codec.receive(piece)]


def failure_code(events: list[Event]) -> int:
    """Give the code of the one event that there must be, a failure."""
    (event,) = events
    assert isinstance(event, Failure)
    return event.reason.code


cut_lists = st.lists(st.integers(0, 10_000), max_size=12)
