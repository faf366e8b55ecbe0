"""RFC 6455 frame by frame: what raw sessions speak."""

from __future__ import annotations

from typing import Final

from flowsock.errors import ProtocolError
from flowsock.wire.assembly import not_utf8
from flowsock.wire.close import CloseCode
from flowsock.wire.codec import Codec
from flowsock.wire.frame import Frame, Opcode
from flowsock.wire.frames import FINAL, RESERVED, Event, FrameHeader, encode_frame, parse_close, parse_header
from flowsock.wire.masking import apply_mask

_RSV1: Final = 0x40
_RSV2: Final = 0x20
_RSV3: Final = 0x10
_LONGEST_HEADER: Final = 14


class FrameCodec(Codec):
    """Translate between the bytes of one connection and its frames.

    Laws: any split of the same bytes gives the same frames. A frame that is malformed, longer than ``max_message_size``, or out
    of place after those before it ends in a `Failure`. Reserved bits are let through, for the user may speak an extension, and
    text is not checked, for a fragment may end inside a code point. After a Close or a `Failure` every further byte is ignored.
    """

    __slots__ = ("_in_message", "_needed", "_unread")

    def __init__(self, *, client: bool, max_message_size: int | None = 2**20) -> None:
        super().__init__(client=client, max_message_size=max_message_size)
        self._unread = bytearray()
        # So many unread bytes make it worth a look: a long frame is not looked at for each of its pieces.
        self._needed = 0
        self._in_message = False

    def receive(self, data: bytes) -> list[Event]:
        """Take received bytes, give the frames that they complete, and at last the `Failure`, if there was a fault."""
        events: list[Event] = []
        if self._over:
            return events
        self._unread += data
        if len(self._unread) < self._needed:
            return events
        try:
            self._read_frames(events)
        except ProtocolError as error:
            self._fail(error, events)
        except UnicodeDecodeError:
            self._fail(not_utf8(), events)
        return events

    def _end(self) -> None:
        super()._end()
        self._unread = bytearray()

    def _read_frames(self, events: list[Event]) -> None:
        position = self._needed = 0
        while not self._over and (header := self._header(position)) is not None:
            start = position + header.size
            stop = start + header.length
            self._check_frame(header)
            if stop > len(self._unread):
                self._needed = stop - position
                break
            events.append(self._frame_of(self._unread[position], header, bytes(self._unread[start:stop])))
            position = stop
        del self._unread[:position]

    def _header(self, position: int) -> FrameHeader | None:
        head = bytes(self._unread[position : position + _LONGEST_HEADER])
        # Reserved bits are no fault here, and have no place in the header.
        plain = bytes((head[0] & ~RESERVED,)) + head[1:] if head else head
        return parse_header(plain, 0, masked=not self._client)

    def _check_frame(self, header: FrameHeader) -> None:
        if self.max_message_size is not None and header.length > self.max_message_size:
            raise ProtocolError(CloseCode.TOO_BIG, f"frame longer than {self.max_message_size} bytes")
        if header.opcode >= Opcode.CLOSE:
            return
        if (header.opcode == Opcode.CONTINUATION) is not self._in_message:
            what = "new message inside a fragmented one" if self._in_message else "continuation of nothing"
            raise ProtocolError(CloseCode.PROTOCOL_ERROR, what)

    def _frame_of(self, first: int, header: FrameHeader, masked: bytes) -> Frame:
        payload = apply_mask(masked, header.mask) if header.mask else masked
        opcode = Opcode(header.opcode)
        if opcode is Opcode.CLOSE:
            parse_close(payload)
            self._end()
        elif not opcode.is_control:
            self._in_message = not header.final
        return Frame(
            opcode,
            payload,
            final=header.final,
            rsv1=first & _RSV1 != 0,
            rsv2=first & _RSV2 != 0,
            rsv3=first & _RSV3 != 0,
        )

    def frame(self, frame: Frame) -> bytes:
        """Write a frame."""
        reserved = frame.rsv1 * _RSV1 | frame.rsv2 * _RSV2 | frame.rsv3 * _RSV3
        first = frame.final * FINAL | reserved | frame.opcode
        return bytes((first,)) + encode_frame(frame.opcode, frame.payload, masked=self._client)[1:]
