"""RFC 6455 without a socket: bytes in and events out, messages in and bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowsock.errors import ProtocolError
from flowsock.wire.assembly import Assembly, check_size, not_utf8
from flowsock.wire.close import CloseCode, CloseReason
from flowsock.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Close,
    Event,
    Failure,
    FrameHeader,
    Ping,
    Pong,
    encode_close,
    encode_frame,
    parse_close,
    parse_header,
)
from flowsock.wire.masking import SMALL, apply_mask
from flowsock.wire.reading import read_messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowsock.wire.deflate import DeflateStatistics

# The last message that was encoded without a mask, and its frame: whoever sends one message to many sessions encodes
# it once. One tuple, so that threads see both halves or neither; bounded, because it lives as long as the process.
_memo: tuple[str | bytes, bytes] = ("", b"\x81\x00")
_MAX_MEMO: Final = 2**20


class Codec:
    """Translate between the bytes of one connection and its events.

    Any split of the same bytes gives the same events. After a `Close` or a `Failure` every further byte is ignored.

    Args:
        client: Whether this end is the client, which sends masked frames and receives unmasked ones.
        max_message_size: How many bytes a received message may have, over all its fragments; None for no limit.
        max_fragments: How many frames a received message may have.

    Attributes:
        max_message_size: This limit, and
        max_fragments: that one may be changed at any time; they hold from the next frame on.
    """

    __slots__ = (
        "_assembly",
        "_client",
        "_final",
        "_fresh",
        "_mask",
        "_over",
        "_remaining",
        "_tail",
        "max_fragments",
        "max_message_size",
    )

    # Whether frames may say that their message is compressed.
    _compression = False

    def __init__(self, *, client: bool, max_message_size: int | None = 2**20, max_fragments: int = 131_072) -> None:
        self.max_message_size = max_message_size
        self.max_fragments = max_fragments
        self._client = client
        self._over = False
        # Whether a message begins with the next byte.
        self._fresh = True
        # A header or a control frame that is not all there.
        self._tail = b""
        # The message that is not all there, and what is to be known of its frame under way.
        self._assembly: Assembly | None = None
        self._final = False
        self._mask = b""
        self._remaining = 0

    def receive(self, data: bytes) -> list[Event]:
        """Take received bytes, give the events that they complete.

        A fault of the peer is the last event, a `Failure`; it is never raised.

        Args:
            data: What came in, of any length.
        """
        events: list[Event] = []
        position = 0
        try:
            if self._fresh:
                position = read_messages(data, 0, not self._client, self.max_message_size, events)
                if position == len(data):
                    return events
            self._receive_rest(data, position, events)
        except ProtocolError as error:
            self._fail(error, events)
        except UnicodeDecodeError:
            self._fail(not_utf8(), events)
        return events

    def _receive_rest(self, data: bytes, position: int, events: list[Event]) -> None:
        """Take bytes that may begin inside a frame, or with one that is no whole message."""
        if self._tail:
            data, self._tail = self._tail + data, b""
        if self._remaining:
            position = self._continue(data, position, events)
        while not self._over:
            start = position
            if self._assembly is None:
                start = read_messages(data, start, not self._client, self.max_message_size, events)
            if start == len(data):
                break
            position = self._frame(data, start, events)
            if position == start:
                self._tail = data[start:]
                break
        self._fresh = not (self._over or self._tail or self._assembly is not None)

    def _frame(self, data: bytes, position: int, events: list[Event]) -> int:
        """Read any frame, or its start, and give the position behind; the same position when nothing can be read."""
        header = parse_header(data, position, masked=not self._client, compression=self._compression)
        if header is None:
            return position
        start = position + header.size
        stop = start + header.length
        if header.opcode >= CLOSE:
            if stop > len(data):
                return position
            self._control(header.opcode, self._unmask(data[start:stop], header.mask), events)
            return stop
        self._check_place(header)
        if self._assembly is None:
            if header.final and stop <= len(data) and not header.compressed:
                check_size(header.length, self.max_message_size)
                payload = self._unmask(data[start:stop], header.mask)
                events.append(payload.decode() if header.opcode == TEXT else payload)
                return stop
            self._assembly = self._assemble(header)
        self._assembly.declare(header.length, self.max_message_size)
        self._final = header.final
        self._mask = header.mask
        self._remaining = header.length
        return self._continue(data, start, events)

    def _assemble(self, header: FrameHeader) -> Assembly:
        """Begin a message of which this is the first frame."""
        return Assembly(text=header.opcode == TEXT)

    def _check_place(self, header: FrameHeader) -> None:
        """Refuse a data frame that has no place here."""
        assembly = self._assembly
        if (header.opcode == CONTINUATION) is (assembly is None):
            what = "continuation of nothing" if assembly is None else "new message inside a fragmented one"
            raise ProtocolError(CloseCode.PROTOCOL_ERROR, what)
        if assembly is not None and assembly.fragments >= self.max_fragments:
            raise ProtocolError(CloseCode.TOO_BIG, f"message of more than {self.max_fragments} fragments")

    def _continue(self, data: bytes, position: int, events: list[Event]) -> int:
        """Move what there is of the frame under way into its message, and give the position behind."""
        assembly = self._assembly
        assert assembly is not None
        piece = data[position : position + self._remaining]
        self._remaining -= len(piece)
        assembly.add(self._unmask(piece, self._mask))
        turn = len(piece) % 4
        self._mask = self._mask[turn:] + self._mask[:turn]
        if self._final and not self._remaining:
            self._assembly = None
            events.append(assembly.finish())
        return position + len(piece)

    def _control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        if opcode == PING:
            events.append(Ping(payload))
        elif opcode == PONG:
            events.append(Pong(payload))
        else:
            events.append(Close(parse_close(payload)))
            self._end()

    def _fail(self, error: ProtocolError, events: list[Event]) -> None:
        events.append(Failure(CloseReason(error.code, str(error))))
        self._end()

    def _end(self) -> None:
        self._over = True
        self._fresh = False
        self._assembly = None
        self._remaining = 0

    @staticmethod
    def _unmask(payload: bytes, mask: bytes) -> bytes:
        return apply_mask(payload, mask) if mask else payload

    def deflate_statistics(self) -> DeflateStatistics | None:
        """Count what was compressed; None where nothing is."""
        return None

    def text(self, message: str) -> bytes:
        """Write a text message as one frame.

        Raises:
            UnicodeEncodeError: The message has lone surrogates, so no UTF-8 form (RFC 6455 section 5.6).
        """
        last, frame = _memo
        if last is message and not self._client:
            return frame
        return self._new_frame(TEXT, message, message.encode())

    def binary(self, message: bytes | bytearray | memoryview) -> bytes:
        """Write a binary message as one frame."""
        last, frame = _memo
        if last is message and not self._client:
            return frame
        # What is remembered is known again by its identity, so it must not change.
        payload = message if type(message) is bytes else bytes(message)
        return self._new_frame(BINARY, payload, payload)

    def _new_frame(self, opcode: int, message: str | bytes, payload: bytes) -> bytes:
        """Write the frame of a message, and remember it if it could be another connection's too."""
        global _memo
        frame = encode_frame(opcode, payload, masked=self._client)
        if not self._client and len(frame) <= _MAX_MEMO:
            _memo = message, frame
        return frame

    def ping(self, payload: bytes = b"") -> bytes:
        """Write a ping.

        Args:
            payload: At most 125 bytes, which the pong gives back (RFC 6455 section 5.5.2).

        Raises:
            ValueError: The payload is longer.
        """
        return self._encode_control(PING, payload)

    def pong(self, payload: bytes = b"") -> bytes:
        """Write a pong.

        Args:
            payload: At most 125 bytes, those of the ping that it answers (RFC 6455 section 5.5.3).

        Raises:
            ValueError: The payload is longer.
        """
        return self._encode_control(PONG, payload)

    def close(self, reason: CloseReason | None = None) -> bytes:
        """Write a close frame.

        Args:
            reason: Why the connection ends; None and the code 1005 send none (RFC 6455 section 5.5.1).

        Raises:
            ValueError: The code must not be sent (RFC 6455 section 7.4).
        """
        return self._encode_control(CLOSE, encode_close(reason))

    def gather(self, frames: Sequence[bytes]) -> bytes:
        """Give frames as what is written in one go.

        Args:
            frames: Encoded by the other methods, in order.
        """
        return b"".join(frames)

    def _encode_control(self, opcode: int, payload: bytes) -> bytes:
        if len(payload) > SMALL:
            raise ValueError("a control frame carries at most 125 bytes")
        return encode_frame(opcode, payload, masked=self._client)
