"""The frames of RFC 6455 section 5: what they mean, how they are written, how their headers are read."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from attrs import frozen

from flowsock.errors import ProtocolError
from flowsock.wire.close import CloseCode, CloseReason, is_sendable
from flowsock.wire.masking import SMALL, apply_mask, new_mask

if TYPE_CHECKING:
    from flowsock.wire.frame import Frame

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FINAL: Final = 0x80
COMPRESSED: Final = 0x40
RESERVED: Final = 0x70
MASKED: Final = 0x80

_OPCODES: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
SHORT: Final = 126
_LONG: Final = 127
_MAX_SHORT: Final = 0xFFFF
_MAX_LONG: Final = 0x7FFF_FFFF_FFFF_FFFF

_short_header: Final = Struct("!BBH")
_long_header: Final = Struct("!BBQ")
_short_length: Final = Struct("!H")
_long_length: Final = Struct("!Q")
_close_code: Final = Struct("!H")
_small_headers: Final = {
    first: tuple(bytes((FINAL | first, size)) for size in range(SMALL + 1))
    for first in (*sorted(_OPCODES), COMPRESSED | TEXT, COMPRESSED | BINARY)
}


@frozen
class Ping:
    """Report a ping, which wants a pong with the same payload (RFC 6455 section 5.5.2)."""

    payload: bytes = b""


@frozen
class Pong:
    """Report a pong (RFC 6455 section 5.5.3)."""

    payload: bytes = b""


@frozen
class Close:
    """Report that the peer closes (RFC 6455 section 5.5.1).

    Args:
        reason: What the peer says; None when it says nothing.
    """

    reason: CloseReason | None = None


@frozen
class Failure:
    """Report that the peer broke the protocol or a limit (RFC 6455 section 7.1.7).

    Args:
        reason: What to close with.
    """

    reason: CloseReason


Event: TypeAlias = "str | bytes | Ping | Pong | Close | Failure | Frame"
"""What came in. A message is plainly its ``str`` (text) or ``bytes`` (binary); raw sessions get nothing but each `Frame`."""


class FrameHeader(NamedTuple):
    """Hold all that a frame says before its payload (RFC 6455 section 5.2).

    A tuple, since one is made for every frame off the fast path, and it is made in a third of the time.

    Args:
        final: Whether the frame ends its message.
        compressed: Whether the frame starts a compressed message (RFC 7692 section 6).
        opcode: What the frame is.
        length: How long its payload is.
        mask: The four bytes of its mask, or none.
        size: How long the header itself is.
    """

    final: bool
    compressed: bool
    opcode: int
    length: int
    mask: bytes
    size: int


def parse_header(data: bytes, position: int, *, masked: bool, compression: bool = False) -> FrameHeader | None:
    """Read the header at a position, or None when it is not all there.

    More bytes never change an answer that was already given.

    Args:
        data: Received bytes.
        position: Where the frame starts.
        masked: Whether frames must be masked, as a client's are, or must not be (RFC 6455 section 5.1).
        compression: Whether messages may be compressed.

    Raises:
        ProtocolError: The header breaks RFC 6455 section 5.2 or 5.5, or RFC 7692 section 6.
    """
    if len(data) < position + 2:
        return None
    first, second = data[position], data[position + 1]
    length = second & 0x7F
    _check_start(first, length, COMPRESSED if compression else 0)
    if (second & MASKED == MASKED) is not masked:
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "unmasked frame" if masked else "masked frame")
    start = position + (2 if length < SHORT else 4 if length == SHORT else 10)
    stop = start + (4 if masked else 0)
    if len(data) < stop:
        return None
    if length > SMALL:
        length = _parse_length(data, position + 2, length)
    compressed = first & COMPRESSED == COMPRESSED
    return FrameHeader(first & FINAL == FINAL, compressed, first & 0x0F, length, data[start:stop], stop - position)


def _check_start(first: int, length: int, in_use: int) -> None:
    opcode = first & 0x0F
    if first & (RESERVED ^ in_use):
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "reserved bits are set")
    if first & COMPRESSED and opcode not in (TEXT, BINARY):
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "compression of what does not start a message")
    if opcode not in _OPCODES:
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "unknown opcode")
    if opcode >= CLOSE and length > SMALL:
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "control frame longer than 125 bytes")
    if opcode >= CLOSE and not first & FINAL:
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "fragmented control frame")


def _parse_length(data: bytes, position: int, kind: int) -> int:
    # The RFC forbids senders a longer form than needed; two readings of one frame are how filters are passed by.
    if kind == SHORT:
        length: int = _short_length.unpack_from(data, position)[0]
        shortest = SHORT
    else:
        length = _long_length.unpack_from(data, position)[0]
        shortest = _MAX_SHORT + 1
    if not shortest <= length <= _MAX_LONG:
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "malformed payload length")
    return length


def encode_frame(opcode: int, payload: bytes, *, masked: bool) -> bytes:
    """Write one unfragmented frame.

    Args:
        opcode: What the frame is (RFC 6455 section 5.2), with `COMPRESSED` if its payload is.
        payload: What it carries.
        masked: Whether to mask it, freshly, as clients must (RFC 6455 section 5.3).
    """
    size = len(payload)
    if masked:
        mask = new_mask()
        return _encode_header(FINAL | opcode, size, MASKED) + mask + apply_mask(payload, mask)
    if size <= SMALL:
        return _small_headers[opcode][size] + payload
    return _encode_header(FINAL | opcode, size, 0) + payload


def _encode_header(first: int, size: int, masked: int) -> bytes:
    if size <= SMALL:
        return bytes((first, masked | size))
    if size <= _MAX_SHORT:
        return _short_header.pack(first, masked | SHORT, size)
    return _long_header.pack(first, masked | _LONG, size)


def parse_close(payload: bytes) -> CloseReason | None:
    """Read the payload of a close frame; None when it is empty.

    Args:
        payload: At most 125 bytes, unmasked (RFC 6455 section 5.5.1).

    Raises:
        ProtocolError: The payload is one byte, or its code must not be sent (RFC 6455 section 7.4).
        UnicodeDecodeError: The message is not UTF-8.
    """
    if not payload:
        return None
    if len(payload) == 1:
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "close frame with half a code")
    code: int = _close_code.unpack_from(payload)[0]
    if not is_sendable(code):
        raise ProtocolError(CloseCode.PROTOCOL_ERROR, "close code that must not be sent")
    return CloseReason(code, payload[2:].decode())


def encode_close(reason: CloseReason | None) -> bytes:
    """Write the payload of a close frame.

    No reason, and the code 1005 that stands for it, give an empty payload.

    Args:
        reason: Why the connection ends (RFC 6455 section 5.5.1).

    Raises:
        ValueError: The code must not be sent (RFC 6455 section 7.4).
    """
    if reason is None or reason.code == CloseCode.NO_STATUS:
        return b""
    if not is_sendable(reason.code):
        raise ValueError(f"close code {reason.code} must not be sent")
    return _close_code.pack(reason.code) + reason.message.encode()
