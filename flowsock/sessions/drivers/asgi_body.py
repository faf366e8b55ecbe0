"""Responses that go on, on the connections of an ASGI host."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from flowsock.sessions.connection.handshake import Handshake
from flowsock.sessions.drivers.anyio_stream import AnyioDriver
from flowsock.sessions.drivers.stream_transport import StreamTransport
from flowsock.sessions.events.event_stream import EventStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from flowsock.sessions.drivers.asgi_stream import AsgiCall
    from flowsock.sessions.events.event_stream_config import EventStreamConfig
    from flowsock.wire.headers import Headers
    from flowsock.wire.request import Request


class AsgiBody:
    """The content of a response as a byte stream; its other direction tells nothing but that the client has gone."""

    __slots__ = ("_call", "_ended")

    def __init__(self, call: AsgiCall) -> None:
        self._call = call
        self._ended = False

    async def receive(self, _max_bytes: int, /) -> bytes:
        while (await self._call.receive())["type"] != "http.disconnect":
            pass
        self._ended = True
        raise anyio.EndOfStream

    async def send(self, item: bytes, /) -> None:
        await self._send(item, more=True)

    async def _send(self, content: bytes, *, more: bool) -> None:
        try:
            await self._call.send({"type": "http.response.body", "body": content, "more_body": more})
        except Exception as error:
            raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Do nothing: a response has no other half."""

    async def aclose(self) -> None:
        """End the response, unless the client has gone."""
        if not self._ended:
            self._ended = True
            await self._send(b"", more=False)

    def extra(self, _attribute: Any, default: object, /) -> Any:
        return default


@asynccontextmanager
async def hosted_stream(
    request: Request, config: EventStreamConfig, headers: Headers, call: AsgiCall
) -> AsyncGenerator[EventStream]:
    """Begin a response, and give its event stream while the block lasts."""
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await call.send({"type": "http.response.start", "status": 200, "headers": fields})
    async with AnyioDriver() as driver:
        handshake = Handshake()
        transport = driver.start(StreamTransport(AsgiBody(call), handshake), handshake)
        stream = EventStream(request, config, transport, driver.clock)
        handshake.hand_over(stream)
        yield stream
