"""The server's end of a byte stream, up to its session or its answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from anyio import CancelScope
from attrs import evolve

from flowsock.sessions.connection.handshake import Handshake
from flowsock.wire.forwarding import normal_address
from flowsock.wire.http import BadRequest, RequestReader, encode_response, plain_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.sessions.connection.handshake import Successor
    from flowsock.sessions.connection.transport import Clock, HandshakeTransport, Timer
    from flowsock.wire.request import Request
    from flowsock.wire.response import Response

_BRIEF: Final = 1.0


class ServerHandshake(Handshake):
    """Read the head of one request, and then answer it or give the stream to a session.

    Args:
        on_request: Takes the handshake and the request, once.
        clock: Measures the timeout.
        timeout: Seconds until the head must be there, from now on.
        unfinished: Where the handshake stands until its stream is a session's or gone, for whoever has to end it.
        refusal: What to answer at once, where there is no room for another client.

    Attributes:
        since: When it began, by the clock.
        deadline: When the client must have its session or its answer.
        answers_later: Whether an answer is on its way, for which the client need not say anything more.
    """

    __slots__ = (
        "_answered",
        "_clock",
        "_connected",
        "_dropped",
        "_on_request",
        "_patience",
        "_presence",
        "_reader",
        "_refusal",
        "_timer",
        "_unfinished",
        "answers_later",
        "deadline",
        "since",
    )

    def __init__(
        self,
        on_request: Callable[[ServerHandshake, Request], object],
        clock: Clock,
        timeout: float,
        unfinished: set[ServerHandshake],
        refusal: Response | None = None,
    ) -> None:
        super().__init__()
        self._on_request = on_request
        self._clock = clock
        self._unfinished = unfinished
        self._refusal = refusal
        self._patience = timeout if refusal is None else min(timeout, _BRIEF)
        self._reader: RequestReader | None = RequestReader()
        self._timer: Timer | None = None
        self._presence: CancelScope | None = None
        self._answered = False
        self._connected = False
        self._dropped = False
        self.answers_later = False
        self.since = clock.time()
        self.deadline = self.since + timeout
        unfinished.add(self)

    def connection_made(self, transport: HandshakeTransport) -> None:
        super().connection_made(transport)
        self._connected = True
        if self._dropped:
            transport.close()
        elif self._refusal is not None:
            self.answer(self._refusal)
        else:
            self._set_timer(self.deadline - self._clock.time(), self._give_up)

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
            self._on_request(self, self._locate(request))

    def _locate(self, request: Request) -> Request:
        """Say where the request came from, as this end sees it."""
        # Over a Unix socket it is no pair.
        peer: object = self.transport.get_extra_info("peername")
        client = normal_address(cast("tuple[str, int]", peer)[0]) if isinstance(peer, tuple) else None
        return evolve(request, client=client, secure=self.transport.get_extra_info("ssl_object") is not None)

    def eof_received(self) -> bool:
        """Learn that the client will send nothing more; one that has asked for a page still gets it, unless over TLS."""
        super().eof_received()
        return self.answers_later and not self._answered and self.transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self._presence is not None:
            self._presence.cancel()
        self._finished()

    def patience(self) -> CancelScope:
        """Make the scope for what the client waits for; it ends at the deadline, or when the client has left."""
        return self._while_present(CancelScope(deadline=self.deadline))

    def presence(self) -> CancelScope:
        """Make the scope for what may take its time; it ends when the client has left."""
        return self._while_present(CancelScope())

    def _while_present(self, scope: CancelScope) -> CancelScope:
        self._presence = scope
        if self.lost:
            scope.cancel()
        return scope

    def answer(self, response: Response, *, head_only: bool = False) -> None:
        """Write a response, and close."""
        self._answered = True
        if self.lost:
            return
        self.transport.write(encode_response(response, head_only=head_only))
        # Closing now would reset the connection if more bytes are under way, and the client would not read the answer.
        if self.transport.can_write_eof() and not self.ended:
            self.transport.write_eof()
        else:
            self.transport.close()
        self.transport.resume_reading()
        self._watch(self.transport.get_write_buffer_size())

    def accept(self, connection: Successor, greeting: bytes) -> None:
        """Write the head of the answer, and let somebody else take over."""
        self._finished()
        if not self.lost:
            self.transport.write(greeting)
        self.hand_over(connection)

    def drop(self) -> None:
        """End the stream, but let an answer that was given go out."""
        self._dropped = True
        if self._connected:
            self.transport.close()

    def _give_up(self) -> None:
        self.answer(plain_response(408, "the request took too long"))

    def _watch(self, left: int) -> None:
        self._set_timer(self._patience, partial(self._see_progress, left))

    def _see_progress(self, left: int) -> None:
        """End the stream of a client that does not read its answer, or has read it and does not hang up."""
        still_left = self.transport.get_write_buffer_size()
        if still_left == left:
            self.transport.abort()
        else:
            self._watch(still_left)

    def _finished(self) -> None:
        self._stop_timer()
        self._unfinished.discard(self)

    def _set_timer(self, delay: float, callback: Callable[[], object]) -> None:
        self._stop_timer()
        self._timer = self._clock.call_later(delay, callback)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
