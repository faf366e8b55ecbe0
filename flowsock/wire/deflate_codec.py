"""RFC 6455 with the compression of RFC 7692."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from flowsock.wire.codec import Codec
from flowsock.wire.deflate import DeflateStatistics
from flowsock.wire.deflater import SMALLEST_WINDOW, Deflater
from flowsock.wire.frames import BINARY, COMPRESSED, TEXT, encode_frame
from flowsock.wire.inflater import Inflater, InflatingAssembly

if TYPE_CHECKING:
    from flowsock.wire.assembly import Assembly
    from flowsock.wire.deflate import Deflate
    from flowsock.wire.deflater import Effort
    from flowsock.wire.frames import FrameHeader


class _Compressed(NamedTuple):
    """A frame of a compressed message, and how long its payload was before and after."""

    frame: bytes
    plain: int
    compressed: int


# As in `Codec`: the last message that was compressed afresh, and its frames. Sessions may have agreed on different efforts,
# so there are several, and a bound to them, since it is clients who ask for some.
_memo: tuple[str | bytes, dict[Effort, _Compressed]] = ("", {})
_MAX_MEMO: Final = 2**20
_MAX_EFFORTS: Final = 16


class DeflateCodec(Codec):
    """Translate between the bytes of one connection and its events, where messages may be compressed.

    All that `Codec` promises holds, the limits for what a message inflates to as well; except that of several faults of one
    compressed message the split may decide which is reported, since zlib gives nothing of a piece that is corrupt further on.

    Args:
        agreed: What both ends agreed on.
        client: Whether this end is the client.
        max_message_size: How many bytes a received message may have, once it is plain; None for no limit.
        max_fragments: How many frames a received message may have.
    """

    __slots__ = ("_deflater", "_inflater", "_sent", "_sent_compressed", "_threshold")

    _compression = True

    def __init__(
        self, agreed: Deflate, *, client: bool, max_message_size: int | None = 2**20, max_fragments: int = 131_072
    ) -> None:
        super().__init__(client=client, max_message_size=max_message_size, max_fragments=max_fragments)
        window = agreed.server_max_window_bits if client else agreed.client_max_window_bits
        forgets = agreed.server_no_context_takeover if client else agreed.client_no_context_takeover
        self._inflater = Inflater(window, keep_context=not forgets)
        deflater = Deflater(agreed, client=client)
        self._deflater = deflater if deflater.effort.window_bits >= SMALLEST_WINDOW else None
        self._threshold = agreed.threshold
        self._sent = 0
        self._sent_compressed = 0

    def _assemble(self, header: FrameHeader) -> Assembly:
        if header.compressed:
            return InflatingAssembly(self._inflater, text=header.opcode == TEXT)
        return super()._assemble(header)

    def deflate_statistics(self) -> DeflateStatistics:
        return DeflateStatistics(
            sent=self._sent,
            sent_compressed=self._sent_compressed,
            received=self._inflater.given,
            received_compressed=self._inflater.taken,
        )

    def text(self, message: str) -> bytes:
        deflater = self._deflater
        if deflater is None or self._is_small(message):
            return super().text(message)
        return self._encode(deflater, message)

    def binary(self, message: bytes | bytearray | memoryview) -> bytes:
        deflater = self._deflater
        payload = bytes(message)
        if deflater is None or len(payload) < self._threshold:
            return super().binary(message)
        return self._encode(deflater, payload)

    def _is_small(self, message: str) -> bool:
        if len(message) >= self._threshold:
            return False
        return message.isascii() or len(message.encode()) < self._threshold

    def _encode(self, deflater: Deflater, message: str | bytes) -> bytes:
        # A mask is for one connection, and so is what refers to messages before.
        shared = not (self._client or deflater.keep_context)
        compressed = self._share(deflater, message) if shared else self._compress(deflater, message)
        self._sent += compressed.plain
        self._sent_compressed += compressed.compressed
        return compressed.frame

    def _share(self, deflater: Deflater, message: str | bytes) -> _Compressed:
        global _memo
        last, frames = _memo
        if last is not message:
            frames = {}
        compressed = frames.get(deflater.effort)
        if compressed is None:
            compressed = self._compress(deflater, message)
            if len(message) <= _MAX_MEMO and len(frames) < _MAX_EFFORTS:
                frames[deflater.effort] = compressed
                _memo = message, frames
        return compressed

    def _compress(self, deflater: Deflater, message: str | bytes) -> _Compressed:
        opcode, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
        data = deflater.deflate(payload)
        return _Compressed(encode_frame(opcode | COMPRESSED, data, masked=self._client), len(payload), len(data))
