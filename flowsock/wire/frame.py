"""One frame as a value (RFC 6455 section 5.2)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from flowsock.errors import ProtocolError
from flowsock.wire.close import CloseReason
from flowsock.wire.frames import encode_close, parse_close
from flowsock.wire.masking import SMALL

if TYPE_CHECKING:
    from attrs import Attribute


class Opcode(IntEnum):
    """Name what frames there are.

    >>> Opcode.PING.is_control
    True
    """

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA

    @property
    def is_control(self) -> bool:
        """Tell whether frames of this kind may stand between the fragments of a message."""
        return self >= Opcode.CLOSE


def _as_bytes(payload: str | bytes | bytearray | memoryview) -> bytes:
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def _check_payload(frame: Frame, _field: Attribute[Any], payload: bytes) -> None:
    if not frame.opcode.is_control:
        return
    if len(payload) > SMALL:
        raise ValueError(f"a control frame carries at most {SMALL} bytes (RFC 6455 section 5.5), not {len(payload)}")
    if frame.opcode is Opcode.CLOSE:
        try:
            parse_close(payload)
        except ProtocolError as error:
            raise ValueError(f"malformed close frame: {error}") from error


def _check_final(frame: Frame, _field: Attribute[Any], final: bool) -> None:
    if frame.opcode.is_control and not final:
        raise ValueError("a control frame cannot be fragmented (RFC 6455 section 5.5)")


@frozen
class Frame:
    """Hold one frame, as raw sessions receive and send it.

    Law: a frame that can be made can be sent; whether it may come now, after the frames before it, is the sender's business.

    Args:
        opcode: What it is; a fragment after the first is a `Opcode.CONTINUATION`.
        payload: What it carries, unmasked; a ``str`` becomes UTF-8.
        final: Whether it ends its message.
        rsv1: A reserved bit, which means something under an extension only; so do
        rsv2: this one,
        rsv3: and this one.

    Raises:
        ValueError: there is no such opcode, or a control frame is fragmented, longer than 125 bytes, or a malformed Close.

    >>> Frame(Opcode.TEXT, "hello").payload
    b'hello'
    """

    opcode: Opcode = field(converter=Opcode)
    payload: bytes = field(default=b"", converter=_as_bytes, validator=_check_payload)
    final: bool = field(default=True, kw_only=True, validator=_check_final)
    rsv1: bool = field(default=False, kw_only=True)
    rsv2: bool = field(default=False, kw_only=True)
    rsv3: bool = field(default=False, kw_only=True)

    @classmethod
    def close(cls, code: int | None = None, message: str = "") -> Frame:
        """Make a Close.

        Raises:
            ValueError: the code must not be sent (RFC 6455 section 7.4), or the message is longer than 123 bytes.
        """
        return cls(Opcode.CLOSE, encode_close(None if code is None else CloseReason(code, message)))

    @property
    def close_reason(self) -> CloseReason | None:
        """Give what a Close says, or ``None`` when it says nothing.

        Raises:
            ValueError: this is no Close.
        """
        if self.opcode is not Opcode.CLOSE:
            raise ValueError(f"{self.opcode.name} is no Close")
        return parse_close(self.payload)
