"""The head of an HTTP/1.1 message while it arrives: its limits and its line ends (RFC 9112 section 2)."""

from __future__ import annotations

from typing import Final

from flowsock.errors import FlowsockError

MAX_HEAD: Final = 64 * 1024
MAX_LINE: Final = 8 * 1024
MAX_FIELDS: Final = 128


class BadRequest(FlowsockError):
    """Report a request that cannot be served.

    The message is fixed text, never the peer's, so it may go into the answer.

    Attributes:
        status: The HTTP status that tells the peer so.
        message: What is wrong.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class HeadBuffer:
    """Collect the bytes of one head.

    Each byte is looked at once, however the bytes are split, and no more is kept than the limits allow. Lines end in
    CRLF and are never folded: where two parsers could differ about what a line is, this one refuses.

    Attributes:
        trailing: The bytes behind the head, once it is complete.
    """

    __slots__ = ("_buffer", "_fields", "_line", "_searched", "trailing")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._line = 0
        self._searched = 0
        self._fields = -1  # The first line is not a field.
        self.trailing = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take received bytes, give the whole head with its empty line once it is there.

        Raises:
            BadRequest: A limit is passed (414, 431), or a line is malformed (400; RFC 9112 section 2.2 and 5.2).
        """
        buffer = self._buffer
        buffer += data
        if buffer and buffer[0] <= 0x20:
            # No method and no version starts so: it is an empty line, or what opens a TLS connection.
            raise BadRequest(400, "malformed first line")
        while (end := buffer.find(b"\n", self._searched)) >= 0:
            stop = self._searched = end + 1
            self._check_length(stop)
            if not buffer.endswith(b"\r", self._line, end):
                raise BadRequest(400, "a line does not end in CRLF")
            if stop - self._line == 2:
                self.trailing = bytes(buffer[stop:])
                return bytes(buffer[:stop])
            self._check_line()
            self._line = stop
        self._searched = len(buffer)
        self._check_length(len(buffer))
        return None

    def _check_line(self) -> None:
        if self._buffer[self._line] in b" \t":
            raise BadRequest(400, "a line is folded")
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise BadRequest(431, f"more than {MAX_FIELDS} header fields")

    def _check_length(self, stop: int) -> None:
        if stop - self._line > MAX_LINE + 2:
            if self._fields < 0:
                raise BadRequest(414, f"a first line longer than {MAX_LINE} bytes")
            raise BadRequest(431, f"a header line longer than {MAX_LINE} bytes")
        if stop > MAX_HEAD:
            raise BadRequest(431, f"a head longer than {MAX_HEAD} bytes")
