"""The server's end of a byte stream, up to its session or its answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowsock.sessions.handshake import Handshake
from flowsock.wire.http import BadRequest, RequestReader, encode_response, plain_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.sessions.connection import Connection
    from flowsock.sessions.transport import Clock, HandshakeTransport, Timer
    from flowsock.wire.request import Request
    from flowsock.wire.response import Response


class ServerHandshake(Handshake):
    """Read the head of one request, and then answer it or give the stream to a session.

    Args:
        on_request: Takes the handshake and the request, once.
        clock: Measures the timeout.
        timeout: Seconds that the head may take.
        unfinished: Where the handshake stands until its stream is a session's or gone, for whoever has to end it.
    """

    __slots__ = ("_answered", "_clock", "_on_request", "_reader", "_timeout", "_timer", "_unfinished")

    def __init__(
        self,
        on_request: Callable[[ServerHandshake, Request], object],
        clock: Clock,
        timeout: float,
        unfinished: set[ServerHandshake],
    ) -> None:
        super().__init__()
        self._on_request = on_request
        self._clock = clock
        self._timeout = timeout
        self._unfinished = unfinished
        self._reader: RequestReader | None = RequestReader()
        self._timer: Timer | None = None
        self._answered = False

    def connection_made(self, transport: HandshakeTransport) -> None:
        super().connection_made(transport)
        self._unfinished.add(self)
        self._set_timer(self._give_up)

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        reader = self._reader
        if reader is None:
            super().data_received(data)
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

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._finished()

    def answer(self, response: Response, *, head_only: bool = False) -> None:
        """Write a response, and close."""
        self._answered = True
        if self.lost:
            return
        self.transport.write(encode_response(response, head_only=head_only))
        # Closing now would reset the connection if more bytes are under way, and the client would not read the answer.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        self.transport.resume_reading()
        self._set_timer(partial(self._see_progress, self.transport.get_write_buffer_size()))

    def accept(self, connection: Connection, greeting: bytes) -> None:
        """Write the 101 and let the connection take over."""
        self._finished()
        if not self.lost:
            self.transport.write(greeting)
        self.hand_over(connection)

    def _give_up(self) -> None:
        self.answer(plain_response(408, "the request took too long"))

    def _see_progress(self, left: int) -> None:
        """End the stream of a client that does not read its answer, or has read it and does not hang up."""
        still_left = self.transport.get_write_buffer_size()
        if still_left == left:
            self.transport.abort()
        else:
            self._set_timer(partial(self._see_progress, still_left))

    def _finished(self) -> None:
        self._stop_timer()
        self._unfinished.discard(self)

    def _set_timer(self, callback: Callable[[], object]) -> None:
        self._stop_timer()
        self._timer = self._clock.call_later(self._timeout, callback)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
