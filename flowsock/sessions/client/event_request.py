"""One attempt at an event stream: the request, the answer, and the events in it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from anyio import fail_after
from attrs import frozen

from flowsock.errors import EventStreamRejected
from flowsock.sessions.client.client_tls import client_context
from flowsock.sessions.client.content_stream import ContentStream
from flowsock.wire.headers import Headers
from flowsock.wire.response import encode_head
from flowsock.wire.server_sent_event import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from ssl import SSLContext

    from flowsock.sessions.client.url import ServerURL
    from flowsock.sessions.drivers.driver import Driver
    from flowsock.wire.response import ResponseHead

_MOST_OF_A_REFUSAL: Final = 64 * 1024


class NoMoreEvents(Exception):
    """Tell that the server wants nobody to come back."""


@frozen
class EventRequest:
    """Hold what an event stream is asked for with.

    Args:
        url: Where.
        method: The method.
        headers: More header fields.
        content: The body of the request, if it has one.
        ssl: A TLS context, for ``https``.
        open_timeout: Seconds until the server must have begun to answer.
    """

    url: ServerURL
    method: str
    headers: Headers
    content: bytes | None
    ssl: SSLContext | None
    open_timeout: float

    def encoded(self, last_event_id: str) -> bytes:
        """Write the request."""
        fields = [("host", self.url.authority), ("accept", MEDIA_TYPE), ("cache-control", "no-cache"), ("connection", "close")]
        if last_event_id:
            fields.append(("last-event-id", last_event_id.encode().decode("latin-1")))
        if self.content is not None:
            fields.append(("content-length", str(len(self.content))))
        own = [(name, value) for name, value in fields if name not in self.headers]
        head = encode_head(f"{self.method} {self.url.target} HTTP/1.1", Headers([*own, *self.headers]))
        return head + (self.content or b"")

    @asynccontextmanager
    async def open(self, driver: Driver, last_event_id: str) -> AsyncGenerator[tuple[ContentStream, bytes]]:
        """Ask, and give the stream of the answer's content and the start of it, while the block lasts.

        Raises:
            NoMoreEvents: the server answered with 204.
            EventStreamRejected: it answered otherwise than with an event stream.
            EventStreamError: its answer is malformed.
            TimeoutError: it did not answer in time.
            OSError: it cannot be reached, or hung up.
        """
        stream = ContentStream()
        try:
            with fail_after(self.open_timeout):
                transport = await driver.open(stream, self.url.host, self.url.port, client_context(self.url, self.ssl))
                transport.write(self.encoded(last_event_id))
                content = await self._answer(stream)
            yield stream, content
        finally:
            if hasattr(stream, "transport"):
                stream.transport.abort()

    async def _answer(self, stream: ContentStream) -> bytes:
        """Wait for the head of an answer, and give the content that came with it."""
        content: bytes | None = b""
        while (head := stream.reader.head) is None:
            content = await stream.receive()
        if head.status == 204:
            raise NoMoreEvents
        if head.status != 200 or not _is_event_stream(head):
            raise EventStreamRejected(head.status, head.headers.as_dict(), await self._refusal(stream, head, content or b""))
        return content or b""

    async def _refusal(self, stream: ContentStream, head: ResponseHead, start: bytes) -> bytes:
        """Read what a refusal says; behind a 200 there may be no end of it."""
        body = bytearray(start)
        while head.status != 200 and not stream.reader.is_complete and len(body) < _MOST_OF_A_REFUSAL:
            content = await stream.receive()
            if content is None:
                break
            body += content
        return bytes(body[:_MOST_OF_A_REFUSAL])


def _is_event_stream(head: ResponseHead) -> bool:
    kind = head.headers.get("content-type") or ""
    return kind.partition(";")[0].strip(" \t").lower() == MEDIA_TYPE
