"""The content of an answer that goes on (RFC 9112 sections 6 and 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11

from flowsock.errors import EventStreamError, HandshakeError
from flowsock.wire.head import BadRequest, HeadBuffer
from flowsock.wire.http import parse_response
from flowsock.wire.response import ResponseHead

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_SKIPPED: Final = 16


class ContentReader:
    """Read the head of an answer from bytes as they arrive, and then its content, piece by piece, however long that goes on.

    Attributes:
        head: The status and the fields of the final answer, once they are there.
        is_complete: Whether the content has come to the end that its framing names.
    """

    __slots__ = ("_buffer", "_connection", "_skipped", "head", "is_complete")

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.is_complete = False
        self._buffer = HeadBuffer()
        self._skipped = 0
        self._connection: h11.Connection | None = None

    def feed(self, data: bytes) -> bytes:
        """Take received bytes, give the content in them.

        Raises:
            EventStreamError: the answer is malformed, or its head too long.
        """
        try:
            while self._connection is None:
                head = self._buffer.feed(data)
                if head is None:
                    return b""
                data = self._buffer.trailing
                self._take_head(head)
            if data:
                self._connection.receive_data(data)
            return b"".join(self._pieces(self._connection))
        except BadRequest as error:
            raise EventStreamError(f"the server's answer is malformed: {error.message}") from None
        except (HandshakeError, h11.RemoteProtocolError):
            raise EventStreamError("the server's answer is malformed") from None

    def end(self) -> bool:
        """Learn that nothing more comes; tell whether that was all, as far as the framing says."""
        if self._connection is None:
            return False
        try:
            self._connection.receive_data(b"")
            return isinstance(self._connection.next_event(), h11.EndOfMessage | h11.ConnectionClosed)
        except h11.RemoteProtocolError:
            return False

    def _take_head(self, head: bytes) -> None:
        status, headers, connection = parse_response(head)
        if status >= 200:
            self.head = ResponseHead(status, headers)
            self._connection = connection
            return
        self._skipped += 1
        if status == 101 or self._skipped > _MAX_SKIPPED:
            raise HandshakeError(f"{status} is no answer to this request")
        self._buffer = HeadBuffer()

    def _pieces(self, connection: h11.Connection) -> Iterator[bytes]:
        while isinstance(event := connection.next_event(), h11.Data):
            yield bytes(event.data)
        self.is_complete = isinstance(event, h11.EndOfMessage)
