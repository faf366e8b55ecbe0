"""Sessions on the connections of an ASGI host, which owns the wire."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import SocketAttribute
from attrs import frozen

from flowsock.sessions.connection.handshake import Handshake
from flowsock.sessions.drivers.anyio_stream import AnyioDriver
from flowsock.sessions.drivers.asgi_codec import AsgiCodec, received
from flowsock.sessions.drivers.stream_transport import StreamTransport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, MutableMapping

    from flowsock.sessions.drivers.asgi_codec import AsgiEvents
    from flowsock.sessions.session import Session
    from flowsock.sessions.terms import Terms


@frozen
class AsgiCall:
    """Hold what a host calls an application with (ASGI 3).

    Args:
        scope: What the connection is.
        receive: Gives the next event.
        send: Takes an event.
    """

    scope: MutableMapping[str, Any]
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]]
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]]


class AsgiStream:
    """A host's events as a stream.

    Laws: the peer's end is the last event, and the end of the stream. What is sent after it goes nowhere. A host that raises
    anything when it is to send has lost the connection.
    """

    __slots__ = ("_call", "_over")

    def __init__(self, call: AsgiCall) -> None:
        self._call = call
        self._over = False

    async def receive(self, _max_bytes: int, /) -> AsgiEvents:
        if self._over:
            raise anyio.EndOfStream
        event = await self._call.receive()
        if event["type"] == "websocket.disconnect":
            self._over = True
        return received(event)

    async def send(self, item: AsgiEvents, /) -> None:
        for event in item.events:
            if self._over:
                return
            try:
                await self._call.send(dict(event))
            except Exception as error:
                raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Do nothing: a host's connection has no halves."""

    async def aclose(self) -> None:
        """Leave it to the host, which closes its connection once the application returns."""

    def extra(self, attribute: Any, default: object, /) -> Any:
        client = self._call.scope.get("client")
        return tuple(client) if attribute is SocketAttribute.remote_address and client else default


class AsgiTransport(StreamTransport):
    """Carry events. A close that was sent ends it: to wait for the peer's answer is the host's business."""

    __slots__ = ()

    def write(self, data: Any, /) -> None:
        super().write(data)
        if data.closes:
            self.close()

    def can_write_eof(self) -> bool:
        return False

    def _pieces(self, queue: list[Any]) -> Iterator[Any]:
        return iter(queue)


@asynccontextmanager
async def hosted_session(terms: Terms, call: AsgiCall) -> AsyncGenerator[Session[Any, Any]]:
    """Accept a host's connection, and give its session while the block lasts."""
    await call.send({"type": "websocket.accept", "subprotocol": terms.agreement.subprotocol, "headers": []})
    async with AnyioDriver() as driver:
        handshake = Handshake()
        transport = driver.start(AsgiTransport(AsgiStream(call), handshake), handshake)
        session = terms.session(transport, driver.clock, AsgiCodec(terms.config))
        handshake.hand_over(session.connection)
        yield session
