"""A message that arrives in pieces: fragments, and parts of frames (RFC 6455 section 5.4)."""

from __future__ import annotations

from codecs import utf_8_decode
from io import BytesIO

from flowsock.errors import ProtocolError
from flowsock.wire.close import CloseCode


def not_utf8() -> ProtocolError:
    """Make the error that text is not UTF-8 (RFC 6455 section 8.1)."""
    return ProtocolError(CloseCode.NOT_CONSISTENT, "text is not UTF-8")


def check_size(size: int, limit: int | None) -> None:
    """Refuse a message that is too long.

    Raises:
        ProtocolError: The size is above the limit (RFC 6455 section 7.4.1, code 1009).
    """
    if limit is not None and size > limit:
        raise ProtocolError(CloseCode.TOO_BIG, f"message longer than {limit} bytes")


class Assembly:
    """Collect the pieces of one message.

    However many pieces there are, they lie in one buffer, and the bytes are copied out of it at most once. Text is
    checked piece by piece, so that what cannot become UTF-8 is refused before the message ends.

    Args:
        text: Whether the message is text, else binary.

    Attributes:
        fragments: How many frames it has so far.
    """

    __slots__ = ("_buffer", "_partial", "_size", "_text", "fragments")

    def __init__(self, *, text: bool) -> None:
        self._text = text
        self._buffer = BytesIO()
        self._partial = b""
        self._size = 0
        self.fragments = 0

    def declare(self, size: int, limit: int | None) -> None:
        """Learn of one more frame, before anything of it is kept.

        Args:
            size: What it says that it holds.
            limit: How many bytes the message may have.

        Raises:
            ProtocolError: It is too much.
        """
        self.fragments += 1
        self._size += size
        check_size(self._size, limit)

    def add(self, piece: bytes) -> None:
        """Append unmasked bytes.

        Raises:
            UnicodeDecodeError, ProtocolError: The text so far is not the start of any UTF-8 (RFC 6455 section 8.1).
        """
        self._buffer.write(piece)
        if self._text:
            unchecked = self._partial + piece
            _, checked = utf_8_decode(unchecked, "strict", False)
            self._partial = unchecked[checked:]
            if b"\xed\xa0" <= self._partial < b"\xee":
                # The start of a surrogate: Python's decoder waits for the third byte, which cannot help.
                raise not_utf8()

    def finish(self) -> str | bytes:
        """Give the whole message.

        Raises:
            ProtocolError: The text ends inside a code point (RFC 6455 section 8.1).
        """
        if self._partial:
            raise not_utf8()
        message = self._buffer.getvalue()
        return message.decode() if self._text else message
