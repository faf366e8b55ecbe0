"""One WebSocket connection: a codec, a transport and the closing handshake between them (RFC 6455 section 7).

It speaks the callbacks of ``asyncio.Protocol`` and knows nothing of handlers or flows: messages go into a channel, and the one
who owns the connection is told once when the peer has gone.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from anyio import move_on_after

from flowsock.channels.capacity import UNLIMITED
from flowsock.channels.channel import Channel
from flowsock.errors import SessionAborted, SessionClosed
from flowsock.parking import WaitingRoom
from flowsock.sessions.connection.backlog import BacklogOutbox
from flowsock.sessions.connection.one_timer import OneTimer
from flowsock.sessions.connection.outbox import Outbox
from flowsock.sessions.connection.pings import Pings, new_ping
from flowsock.sessions.slow_reader import SlowReader
from flowsock.sessions.statistics import ConnectionStatistics
from flowsock.wire.close import CloseCode, CloseReason, is_sendable
from flowsock.wire.frames import Close, Failure, Ping, Pong

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.sessions.config import WebSocketConfig
    from flowsock.sessions.connection.connection_codec import ConnectionCodec
    from flowsock.sessions.connection.keepalive import Keepalive
    from flowsock.sessions.connection.transport import Clock, Transport
    from flowsock.sessions.terms import Terms
    from flowsock.wire.frames import Event

_ABORT_GRACE: Final = 1.0
_NOTHING: Final[frozenset[type]] = frozenset()


class State(Enum):
    """What may still happen."""

    OPEN = "open"
    HALF_CLOSED = "the peer's Close is here, and in a raw session ours is the user's business"
    CLOSING = "our Close is on its way, the peer's is not here yet"
    ENDED = "no message will pass any more"
    LOST = "the transport is gone"


# Asked for several times a message, and on Python 3.11 looking a member up in its class costs as much as a call.
_OPEN: Final = State.OPEN


class Connection(OneTimer):
    """Carry messages until one side closes.

    Laws: the reason is set exactly once. Nothing is written after a Close. Pings are answered while the handler is busy; of
    those that come while the peer does not read, only the last. At most ``incoming_queue`` messages (and what one read brought
    with them) wait for the handler; then the socket is not read any more.
    """

    __slots__ = (
        "_bytes_received",
        "_client",
        "_codec",
        "_lost",
        "_messages_received",
        "_on_gone",
        "_outbox",
        "_pings",
        "_reading_paused",
        "_state",
        "_transport",
        "accepts",
        "config",
        "keepalive",
        "last_heard",
        "messages",
        "reason",
    )

    def __init__(
        self, terms: Terms, transport: Transport, clock: Clock, codec: ConnectionCodec, *, on_gone: Callable[[], object]
    ) -> None:
        super().__init__(clock)
        self.config = terms.config
        self.accepts = terms.translation.accepts
        self._on_gone = on_gone
        self.messages: Channel[Any] = Channel(UNLIMITED)
        self.reason: CloseReason | None = None
        self.last_heard = clock.time()
        self.keepalive: Keepalive | None = None
        self._transport = transport
        self._codec = codec
        self._client = terms.client
        self._state = _OPEN
        self._outbox = self._make_outbox()
        self._pings = Pings()
        self._reading_paused = False
        self._lost: WaitingRoom | None = None
        self._messages_received = 0
        self._bytes_received = 0

    def _make_outbox(self) -> Outbox:
        kind = Outbox if self.config.slow_reader is SlowReader.SUSPEND else BacklogOutbox
        return kind(self, self._transport, self._clock, self._codec)

    def configure(self, config: WebSocketConfig) -> None:
        """Go on with other settings."""
        self.config = config
        self._codec.max_message_size = config.max_message_size
        self._codec.max_fragments = config.max_fragments
        self._transport.set_write_buffer_limits(config.outgoing_high_water)
        self.relieve()
        if self.keepalive is not None:
            self.keepalive.add(self)

    # Sending

    def send(self, message: object) -> Awaitable[None]:
        """Write a message; what is returned suspends while the peer does not read, if that is the policy."""
        if self._state is not _OPEN:
            raise self._closed()
        return self._outbox.put(message)

    def check_open(self) -> None:
        """Raise what a use of the ended connection raises."""
        if not self._may_send():
            raise self._closed()

    def _may_send(self) -> bool:
        return self._state is _OPEN

    def _closed(self) -> SessionClosed:
        assert self.reason is not None
        return SessionClosed(self.reason) if is_orderly(self.reason) else SessionAborted(self.reason)

    def pause_writing(self) -> None:
        """Learn that the peer does not read as fast as we write."""
        if self._may_send():
            self._outbox.pause()

    def resume_writing(self) -> None:
        """Learn that the peer has read enough."""
        if self._outbox.is_clogged:
            # Whoever reads our bytes is alive.
            self.last_heard = self._clock.time()
            self._outbox.resume()

    def give_up_slow_reader(self, why: str) -> None:
        """End the connection, because its peer does not read."""
        self._end(CloseReason(CloseCode.TRY_AGAIN_LATER, why))
        self._transport.abort()

    # Receiving

    def data_received(self, data: bytes) -> None:
        """Take bytes from the transport; replies that they cause at once are gathered into one write."""
        self.last_heard = self._clock.time()
        self._bytes_received += len(data)
        outbox = self._outbox
        outbox.corked = True
        try:
            for event in self._codec.receive(data):
                if type(event) not in self.accepts:
                    self._other(event)
                    continue
                self._messages_received += 1
                if not self.messages.hand(event):
                    self._queue(event)
        finally:
            outbox.uncork()

    def _queue(self, message: object) -> None:
        """Let a message wait for the handler."""
        self.messages.send_nowait(message)
        if len(self.messages) >= self.config.incoming_queue and not self._reading_paused:
            self._pause_reading()

    def _pause_reading(self) -> None:
        # Behind the end of the messages there is still the end of the connection to be read.
        if not self.messages.is_closed_for_send:
            self._reading_paused = True
            self._transport.pause_reading()

    def relieve(self) -> None:
        """Read again, if the handler has caught up."""
        if self._reading_paused and len(self.messages) <= self.config.incoming_queue // 2:
            self._read_again()

    def _read_again(self) -> None:
        self._reading_paused = False
        # While nothing was read, silence said nothing about the peer.
        self.last_heard = self._clock.time()
        self._transport.resume_reading()

    def _other(self, event: Event) -> None:
        """Take what is no message for the handler."""
        if not isinstance(event, str | bytes):
            self._control(event)
        elif self._state is _OPEN:
            kind = "text" if isinstance(event, str) else "binary"
            self._fail(CloseReason(CloseCode.CANNOT_ACCEPT, f"{kind} messages are not accepted here"))

    def _control(self, event: Event) -> None:
        match event:
            case Ping(payload):
                if self._state is _OPEN:
                    self._outbox.pong(payload)
            case Pong(payload):
                self._pings.answer(payload, self._clock.time())
            case Close(reason):
                self._take_close(reason)
            case Failure(reason):
                self._fail(reason)
            case _:
                raise AssertionError(event)

    def _take_close(self, reason: CloseReason | None) -> None:
        if self._state is _OPEN:
            self._write_close(reason)
            self._end(reason or CloseReason(CloseCode.NO_STATUS))
        self._shut_down()

    def _shut_down(self) -> None:
        """End the stream, now that both sides have said that they close."""
        self._state = State.ENDED
        self._outbox.uncork()
        if not self._client:
            # The client waits for that (RFC 6455 section 7.1.1).
            self._transport.close()
        self._set_timer(self.config.close_timeout, self._transport.abort)

    def eof_received(self) -> bool:
        """Learn that the peer will send nothing more; the transport closes itself."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """Learn that the transport is gone."""
        self._clear_timer()
        if self.reason is None:
            self._end(CloseReason(CloseCode.CLOSED_ABNORMALLY, "the connection was lost"))
        self._state = State.LOST
        self._release(None)
        if self._lost is not None:
            self._lost.wake_all()

    # Ending

    def close(self, reason: CloseReason) -> None:
        """Begin the closing handshake, unless the connection is over; `wait_lost` waits for its end."""
        if self._state is not _OPEN:
            return
        self._write_close(reason)
        self._finish(reason, None)
        self._state = State.CLOSING
        self._set_timer(self.config.close_timeout, self._transport.abort)

    def _write_close(self, reason: CloseReason | None) -> None:
        self._outbox.finish()
        self._outbox.write(self._codec.close(reason))

    def abandon(self, reason: CloseReason) -> None:
        """Tell the peer why, unless a Close was sent before, and end the connection without waiting for an answer."""
        if self._state is State.LOST:
            return
        if self._state is _OPEN:
            self._outbox.write(self._codec.close(reason))
            self._end(reason)
        self._transport.close()
        self._set_timer(_ABORT_GRACE, self._transport.abort)

    def abort(self) -> None:
        """Drop the transport at once."""
        self._transport.abort()

    def _fail(self, reason: CloseReason, cause: Exception | None = None) -> None:
        """End the connection because of what the peer sent."""
        if self._state is _OPEN:
            self._outbox.write(self._codec.close(reason))
            self._end(reason, cause)
        self._state = State.ENDED
        self._outbox.uncork()
        # Closing the transport now would reset it if more bytes are under way, and the peer would not read our Close.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
        self._set_timer(self.config.close_timeout, self._transport.abort)

    def _end(self, reason: CloseReason, cause: Exception | None = None) -> None:
        """End because of the peer: orderly, or with an error for whoever collects the messages."""
        error = None if is_orderly(reason) else SessionAborted(reason)
        if error is not None:
            error.__cause__ = cause
        self._finish(reason, error)
        self._on_gone()

    def _finish(self, reason: CloseReason, error: SessionAborted | None) -> None:
        self.reason = reason
        self._state = State.ENDED
        self.accepts = _NOTHING
        self._release(error)

    def _release(self, error: SessionAborted | None) -> None:
        """Let nobody wait for the peer any more."""
        self._outbox.end()
        self._pings.end()
        if self._reading_paused:
            # The peer's Close, or the end of the stream, is behind what will not be read any more.
            self._read_again()
        self.messages.close(error)

    async def wait_lost(self) -> None:
        """Wait until the transport is gone."""
        while self._state is not State.LOST:
            self._lost = self._lost or WaitingRoom()
            await self._lost.sleep()

    # Keeping alive

    def tend(self, now: float, payload: bytes) -> None:
        """Send a ping if one is due, and give up a peer that was silent since the last one."""
        config = self.config
        if self._state is not _OPEN or config.ping_interval is None or self._outbox.is_clogged:
            # A clogged connection has a deadline already, and a ping would not get through.
            return
        pinged = self._pings.last
        # While we do not read, silence says nothing about the peer; writing to it still finds out that it has gone.
        if self.last_heard < pinged and not self._reading_paused:
            if now - pinged >= config.ping_timeout:
                self.abandon(CloseReason(CloseCode.INTERNAL_ERROR, "ping timeout"))
        elif now - max(self.last_heard, pinged) >= config.ping_interval:
            self._pings.keep_alive(payload, now)
            self._outbox.write(self._codec.ping(payload))

    async def ping(self) -> float:
        """Send a ping and give the seconds until its pong; see `Session.ping`."""
        self.check_open()
        payload, timeout = new_ping(), self.config.ping_timeout
        frame = self._codec.ping(payload)
        ping = self._pings.expect(payload, self._clock.time())
        self._outbox.write(frame)
        try:
            with move_on_after(timeout):
                while ping.round_trip is None:
                    await ping.waiting.sleep()
                    if ping.round_trip is None:
                        self.check_open()
        finally:
            self._pings.forget(payload)
        if ping.round_trip is None:
            raise TimeoutError(f"no pong within {timeout:g} s")
        return ping.round_trip

    # Looking

    @property
    def is_open(self) -> bool:
        """Tell whether messages can pass."""
        return self._state is _OPEN

    @property
    def peer(self) -> object:
        """Give the peer's address as the driver knows it."""
        return self._transport.get_extra_info("peername")

    def statistics(self) -> ConnectionStatistics:
        """Count what passed."""
        outbox = self._outbox
        return ConnectionStatistics(
            messages_received=self._messages_received,
            messages_sent=outbox.messages_sent,
            bytes_received=self._bytes_received,
            bytes_sent=outbox.bytes_sent,
            queued=len(self.messages),
            unsent=outbox.unsent,
            unsent_bytes=outbox.unsent_bytes,
            dropped=outbox.dropped,
            ping_round_trip=self._pings.round_trip,
            deflate=self._codec.deflate_statistics(),
        )


def is_orderly(reason: CloseReason) -> bool:
    """Tell whether a close is an end and not an error: 1000, 1001, or a Close without a code, as browsers send it."""
    return reason.is_clean or reason.code == CloseCode.NO_STATUS


def own_reason(code: int, message: str) -> CloseReason:
    """Make the reason of a close of ours.

    Raises:
        ValueError: the code must not be sent (RFC 6455 section 7.4), or the message has more than 123 bytes.
    """
    if not is_sendable(code):
        raise ValueError(f"close code {code} must not be sent: use 1000-1003, 1007-1014 or 3000-4999")
    return CloseReason(code, message)
