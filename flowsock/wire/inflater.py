"""What was compressed, made plain in bounded steps (RFC 7692 section 7.2.2)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, Protocol

from flowsock.errors import ProtocolError
from flowsock.wire.assembly import Assembly, check_size
from flowsock.wire.close import CloseCode

if TYPE_CHECKING:
    from collections.abc import Iterator

TAIL: Final = b"\x00\x00\xff\xff"
"""What ends every compressed message, and is not sent."""

# zlib copies what it has not consumed yet at every step, so what goes in is bounded as well as what comes out.
_MAX_IN: Final = 2**14
_MAX_OUT: Final = 2**16
_MAX_STREAMS: Final = 1024


class _Stream(Protocol):
    """What `zlib.decompressobj` gives."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Inflater:
    """Inflate what one end sends, message by message.

    Nothing is held before the first compressed message, and between messages only if the context is kept.

    Args:
        window_bits: How far back the sender refers, as a power of two.
        keep_context: Whether a message may refer to the one before.

    Attributes:
        taken: Bytes taken so far, without tails.
        given: Bytes they came to.
    """

    __slots__ = ("_keep_context", "_stream", "_streams", "_window_bits", "given", "taken")

    def __init__(self, window_bits: int, *, keep_context: bool) -> None:
        self._window_bits = window_bits
        self._keep_context = keep_context
        self._stream: _Stream | None = None
        self._streams = 0
        self.taken = 0
        self.given = 0

    def inflate(self, data: bytes) -> Iterator[bytes]:
        """Take a piece of a compressed message, give what it comes to in pieces of at most 64 KiB.

        Raises:
            ProtocolError: It is not DEFLATE (RFC 1951).
        """
        self.taken += len(data)
        for start in range(0, len(data), _MAX_IN):
            try:
                yield from self._inflate(data[start : start + _MAX_IN])
            except zlib.error:
                raise ProtocolError(CloseCode.NOT_CONSISTENT, "corrupt compressed data") from None

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        # What zlib holds back when all is consumed, some KiB at most, comes with the next piece; the tail is always one.
        while data:
            stream = self._stream or self._begin()
            piece = stream.decompress(data, _MAX_OUT)
            data = stream.unconsumed_tail
            if stream.eof:
                # A sender may end its stream, and goes on with a new one (RFC 7692 section 7.2.3.4).
                data, self._stream = stream.unused_data, None
            if piece:
                self.given += len(piece)
                yield piece

    def _begin(self) -> _Stream:
        self._streams += 1
        if self._streams > _MAX_STREAMS:
            # Two bytes are enough for one, so this is where a small message would cost much.
            raise ProtocolError(CloseCode.VIOLATED_POLICY, f"compressed message of more than {_MAX_STREAMS} streams")
        self._stream = stream = zlib.decompressobj(-self._window_bits)
        return stream

    def end_message(self) -> None:
        """Learn that the message ended with `TAIL`, and forget what the next one does not refer to."""
        self._streams = 0
        self.taken -= len(TAIL)
        if not self._keep_context:
            self._stream = None


class InflatingAssembly(Assembly):
    """Collect the pieces of one compressed message.

    The limit holds for what it inflates to, and is found passed after 64 KiB at most.

    Args:
        text: Whether the message is text, else binary.
        inflater: What makes the pieces plain.
    """

    __slots__ = ("_inflater", "_limit")

    def __init__(self, inflater: Inflater, *, text: bool) -> None:
        super().__init__(text=text)
        self._inflater = inflater
        self._limit: int | None = None

    def declare(self, size: int, limit: int | None) -> None:
        self.fragments += 1
        self._limit = limit
        # No sender makes a frame much longer than its plain form: zlib by an eighth at the very worst (`deflateBound`).
        check_size(size, None if limit is None else limit + limit // 4 + 64)

    def add(self, piece: bytes) -> None:
        for plain in self._inflater.inflate(piece):
            self._size += len(plain)
            check_size(self._size, self._limit)
            super().add(plain)

    def finish(self) -> str | bytes:
        self.add(TAIL)
        self._inflater.end_message()
        return super().finish()
