"""Sessions on asyncio's transports, and so on uvloop's."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from flowsock.errors import FlowsockError
from flowsock.wire.http import BadRequest, RequestReader, encode_response, plain_response

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from flowsock.sessions.connection import Connection
    from flowsock.wire.request import Request
    from flowsock.wire.response import Response


class HandshakeProtocol(asyncio.Protocol):
    """Read the head of one request, and then answer it or give the transport to a session.

    Args:
        on_request: Takes the protocol and the request, once.
        timeout: Seconds that the head may take.
        unfinished: Where the protocol stands until its connection is a session's or gone, for whoever has to end it.
    """

    __slots__ = ("_answered", "_lost", "_on_request", "_reader", "_timeout", "_timer", "_unfinished", "early", "transport")

    transport: asyncio.Transport

    def __init__(
        self,
        on_request: Callable[[HandshakeProtocol, Request], object],
        timeout: float,
        unfinished: set[HandshakeProtocol],
    ) -> None:
        self._unfinished = unfinished
        self._on_request = on_request
        self._timeout = timeout
        self._reader: RequestReader | None = RequestReader()
        self._timer: asyncio.TimerHandle | None = None
        self._answered = False
        self._lost = False
        self.early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._unfinished.add(self)
        self._set_timer(self._give_up)

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        reader = self._reader
        if reader is None:
            # Frames of a hurried client, while its request is being looked at: kept, but not without bound.
            self.early += data
            self.transport.pause_reading()
            return
        try:
            request = reader.feed(data)
        except BadRequest as error:
            self.answer(plain_response(error.status, error.message))
            return
        if request is not None:
            self._reader = None
            self._stop_timer()
            self.early += reader.trailing
            self._on_request(self, request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._finished()

    def answer(self, response: Response, *, head_only: bool = False) -> None:
        """Write a response, and close."""
        self._answered = True
        if self._lost:
            return
        self.transport.write(encode_response(response, head_only=head_only))
        # Closing now would reset the connection if more bytes are under way, and the client would not read the answer.
        self.transport.write_eof()
        self.transport.resume_reading()
        self._set_timer(self._see_progress, self.transport.get_write_buffer_size())

    def hand_over(self, connection: Connection, greeting: bytes) -> None:
        """Write the 101 and let the connection take over, with the bytes that came too early."""
        self._finished()
        if not self._lost:
            self.transport.write(greeting)
        hand_over(self.transport, connection, self.early, lost=self._lost)

    def _give_up(self) -> None:
        self.answer(plain_response(408, "the request took too long"))

    def _see_progress(self, left: int) -> None:
        """End the connection of a client that does not read its answer, or has read it and does not hang up."""
        still_left = self.transport.get_write_buffer_size()
        if still_left == left:
            self.transport.abort()
        else:
            self._set_timer(self._see_progress, still_left)

    def _finished(self) -> None:
        self._stop_timer()
        self._unfinished.discard(self)

    def _set_timer(self, callback: Callable[..., object], *args: object) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._timeout, callback, *args)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ResponseProtocol(asyncio.Protocol):
    """Collect the bytes of the server's answer until the client takes over."""

    __slots__ = ("_on_bytes", "_on_lost", "transport")

    transport: asyncio.Transport

    def __init__(self, on_bytes: Callable[[bytes], object], on_lost: Callable[[Exception | None], Any]) -> None:
        self._on_bytes = on_bytes
        self._on_lost = on_lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._on_bytes(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(exc)


def hand_over(transport: asyncio.Transport, connection: Connection, early: bytearray, *, lost: bool = False) -> None:
    """Make a connection the protocol of its transport, and give it what came before it did."""
    transport.set_protocol(cast("asyncio.Protocol", connection))
    if lost:
        connection.connection_lost(None)
        return
    transport.set_write_buffer_limits(connection.config.outgoing_high_water)
    transport.resume_reading()
    if early:
        connection.data_received(bytes(early))


@contextmanager
def transports_on_asyncio() -> Generator[None]:
    """Make transports whose callbacks, which are in no task, can use anyio.

    anyio asks sniffio, where that is installed, and sniffio knows a callback's library by its context only.
    """
    sniffio = sys.modules.get("sniffio")
    if sniffio is None:
        yield
        return
    token = sniffio.current_async_library_cvar.set("asyncio")
    try:
        yield
    finally:
        sniffio.current_async_library_cvar.reset(token)


def running_loop(what: str) -> asyncio.AbstractEventLoop:
    """Give the running event loop.

    Raises:
        FlowsockError: it is not asyncio's.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise FlowsockError(f"{what} needs asyncio's event loop (or uvloop): run it under asyncio") from None
