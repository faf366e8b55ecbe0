"""Messages, compressed (RFC 7692 section 7.2.1)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from flowsock.wire.deflate import Deflate

SMALLEST_WINDOW: Final = 9
"""What zlib can keep to: it refuses a raw stream with a window of 8 bits."""


class Stream(Protocol):
    """What `zlib.compressobj` gives."""

    def compress(self, data: bytes, /) -> bytes:
        """Take bytes, give what is ready."""
        ...

    def flush(self, mode: int, /) -> bytes:
        """Give the rest."""
        ...


class Effort(NamedTuple):
    """What decides how a message looks when it is compressed afresh.

    Args:
        level: How hard zlib tries.
        window_bits: How far back it refers, as a power of two.
        mem_level: How much memory it takes.
    """

    level: int
    window_bits: int
    mem_level: int

    def begin(self) -> Stream:
        """Begin a stream."""
        return zlib.compressobj(self.level, zlib.DEFLATED, -self.window_bits, self.mem_level)


class Deflater:
    """Compress what this end sends, message by message.

    Nothing is held before the first message, and between messages only if the context is kept.

    Args:
        agreed: What both ends agreed on.
        client: Whether this end is the client.

    Attributes:
        effort: How it compresses.
        keep_context: Whether a message refers to the one before.
    """

    __slots__ = ("_stream", "effort", "keep_context")

    def __init__(self, agreed: Deflate, *, client: bool) -> None:
        window = agreed.client_max_window_bits if client else agreed.server_max_window_bits
        self.effort = Effort(agreed.level, window, agreed.mem_level)
        self.keep_context = not (agreed.client_no_context_takeover if client else agreed.server_no_context_takeover)
        self._stream: Stream | None = None

    def deflate(self, payload: bytes) -> bytes:
        """Compress a whole message, without the tail that ends each."""
        stream = self._stream or self.effort.begin()
        if self.keep_context:
            self._stream = stream
        return stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH)[:-4]
