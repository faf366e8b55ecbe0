"""One response that goes on: events out, until the client or the handler has enough."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from anyio import move_on_after

from flowsock.emitting import READY
from flowsock.parking import WaitingRoom
from flowsock.sessions.connection.backlog import BacklogOutbox
from flowsock.sessions.connection.one_timer import OneTimer
from flowsock.sessions.connection.outbox import Outbox
from flowsock.sessions.events.event_encoder import HEARTBEAT, EventEncoder, encoded
from flowsock.sessions.slow_reader import SlowReader
from flowsock.wire.server_sent_event import encode_retry

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowsock.scopes.scope import Scope
    from flowsock.sessions.connection.transport import Clock, Transport
    from flowsock.sessions.events.event_stream_config import EventStreamConfig
    from flowsock.wire.request import Request

_logger = logging.getLogger("flowsock")

_ENCODER: Final = EventEncoder()
_LAST_WORDS: Final = 1.0


class EventStream(OneTimer):
    """Write events to a client, no faster than it reads.

    Laws: events go out whole and in order. When the client goes, or does not catch up in time, the scope of the handler is
    cancelled, and nothing is written any more. A client that ends its half of the connection has gone.

    Attributes:
        request: What the client asked.
        config: The settings.
    """

    __slots__ = ("_is_over", "_lost", "_outbox", "_scope", "_transport", "config", "request")

    def __init__(self, request: Request, config: EventStreamConfig, transport: Transport, clock: Clock) -> None:
        super().__init__(clock)
        self.request = request
        self.config = config
        self._transport = transport
        self._scope: Scope | None = None
        self._is_over = False
        self._lost: WaitingRoom | None = WaitingRoom()
        kind = Outbox if config.slow_reader is SlowReader.SUSPEND else BacklogOutbox
        self._outbox = kind(self, transport, clock, _ENCODER)

    # Sending

    def begin(self) -> None:
        """Write what comes before all events, so that whoever is between here and the client sees that it has begun."""
        retry = self.config.retry
        self._outbox.write(HEARTBEAT if retry is None else encode_retry(retry))
        self._beat_later()

    def send(self, value: Any) -> Awaitable[None]:
        """Write a value as an event; what is returned suspends while the client does not read, if that is the policy.

        Raises:
            TypeError: the value is no event, no text and nothing that has a JSON form.
        """
        return READY if self._is_over else self._outbox.put(encoded(value))

    def _beat_later(self) -> None:
        if self.config.heartbeat is not None:
            self._set_timer(self.config.heartbeat, self._beat)

    def _beat(self) -> None:
        self._outbox.pong(b"")
        self._beat_later()

    # What the outbox asks

    def check_open(self) -> None:
        """Raise nothing: the end of a stream cancels whoever sends."""

    def give_up_slow_reader(self, why: str) -> None:
        """Cut the stream, because its client does not read."""
        _logger.debug("an event stream of %r was cut: %s", self.request.path, why)
        self._end()
        self._transport.abort()

    # What the transport tells

    def data_received(self, _data: bytes) -> None:
        """Ignore what a client says that has asked already."""

    def eof_received(self) -> bool:
        """Learn that the client has gone."""
        self._transport.abort()
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """Learn that the transport is gone."""
        self._end()
        self._clear_timer()
        lost, self._lost = self._lost, None
        if lost is not None:
            lost.wake_all()

    def pause_writing(self) -> None:
        """Learn that the client does not read as fast as we write."""
        if not self._is_over:
            self._outbox.pause()

    def resume_writing(self) -> None:
        """Learn that the client has read enough."""
        if self._outbox.is_clogged:
            self._outbox.resume()

    # The end

    def enter(self, scope: Scope) -> None:
        """Take the scope that the client's leaving cancels."""
        self._scope = scope
        if self._is_over:
            scope.cancel()

    def leave(self) -> None:
        """Learn that the handler is done."""
        self._scope = None

    def finish(self) -> None:
        """Let the handler end now, as when the server stops; what was sent still goes out."""
        if self._scope is not None:
            self._scope.cancel()

    async def close(self) -> None:
        """End the response once everything was written, and wait for that, ``send_timeout`` seconds at most."""
        if not self._is_over:
            self._outbox.finish()
            self._end()
            self._transport.close()
            self._set_timer(self.config.send_timeout, self._transport.abort)
        try:
            await self._wait_lost()
        except BaseException:
            await self.drop()
            raise

    async def drop(self) -> None:
        """End the response within a second, even while being cancelled."""
        self._end()
        self._transport.close()
        with move_on_after(_LAST_WORDS, shield=True):
            await self._wait_lost()
        self._transport.abort()

    def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._clear_timer()
        self._outbox.end()
        self.finish()

    async def _wait_lost(self) -> None:
        while self._lost is not None:
            await self._lost.sleep()

    # Looking

    @property
    def events_sent(self) -> int:
        """Count the events and comments that the handler sent."""
        return self._outbox.messages_sent

    @property
    def bytes_sent(self) -> int:
        """Count the bytes of the content."""
        return self._outbox.bytes_sent

    @property
    def dropped(self) -> int:
        """Count the events that were lost to the policy for slow clients."""
        return self._outbox.dropped

    @property
    def unsent(self) -> int:
        """Count the events that wait for a slow client, under a policy other than `SlowReader.SUSPEND`."""
        return self._outbox.unsent

    @property
    def unsent_bytes(self) -> int:
        """Count the bytes that wait for the client, here and in the transport."""
        return self._outbox.unsent_bytes
