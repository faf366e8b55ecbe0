"""An outbox that never makes the sender wait."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from flowsock.emitting import FAIR_TURN, READY, TURN
from flowsock.sessions.connection.outbox import Outbox, Owner, payload_of
from flowsock.sessions.slow_reader import SlowReader

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowsock.sessions.connection.connection_codec import Encoder
    from flowsock.sessions.connection.transport import Clock, Transport


class BacklogOutbox(Outbox):
    """Queue messages while the peer is behind, and apply a policy when the queue is full (all of `SlowReader` but `SUSPEND`).

    Messages wait as they are and become frames when they go out, since a compressed frame that was dropped would take the
    compressor's context with it.
    """

    __slots__ = ("_backlog", "_backlog_bytes", "_drained", "_policy", "_turns")

    def __init__(self, owner: Owner, transport: Transport, clock: Clock, codec: Encoder) -> None:
        super().__init__(owner, transport, clock, codec)
        self._policy = owner.config.slow_reader
        self._backlog: deque[tuple[str | bytes, int]] = deque()
        self._backlog_bytes = 0
        self._drained = 0
        self._turns = FAIR_TURN

    def put(self, message: object) -> Awaitable[None]:
        if self.is_clogged:
            self._hold(message)
            return self._turn()
        pending = super().put(message)
        return READY if self.is_clogged else pending

    def _turn(self) -> Awaitable[None]:
        # Messages that are kept or dropped are none that were sent.
        self._turns -= 1
        if self._turns:
            return READY
        self._turns = FAIR_TURN
        return TURN

    def _hold(self, message: object) -> None:
        # What the sender may change while it waits is copied; what is no message at all is refused now.
        kept = message if isinstance(message, str) else payload_of(message)
        size = len(kept.encode()) if isinstance(kept, str) else len(kept)
        if self._make_room(size):
            self._backlog.append((kept, size))
            self._backlog_bytes += size
        else:
            self.dropped += 1

    def _make_room(self, size: int) -> bool:
        match self._policy:
            case SlowReader.DROP_LATEST:
                return self._fits(size)
            case SlowReader.CLOSE:
                if not self._fits(size):
                    self._owner.give_up_slow_reader("the peer did not catch up with a full queue")
                    self._owner.check_open()
            case _:
                conflates = self._policy is SlowReader.CONFLATE
                while self._backlog and (conflates or not self._fits(size)):
                    self._take()
                    self.dropped += 1
        return True

    def _fits(self, size: int) -> bool:
        config = self._owner.config
        return not self._backlog or (
            len(self._backlog) < config.outgoing_queue and self._backlog_bytes + size <= config.outgoing_queue_size
        )

    def _take(self) -> str | bytes:
        message, size = self._backlog.popleft()
        self._backlog_bytes -= size
        return message

    # Waiting for the peer

    def pause(self) -> None:
        self.is_clogged = True
        if self._timer is None:
            self._drained = self._count_drained()
            self._set_deadline(self._judge)

    def resume(self) -> None:
        self.is_clogged = False
        while self._backlog and not self.is_clogged:
            super().put(self._take())
        if not self.is_clogged:
            super().resume()

    def _judge(self) -> None:
        """Give up a peer that has read next to nothing, or should have read everything by now."""
        drained = self._count_drained()
        if self._policy is SlowReader.CLOSE:
            self._give_up()
        elif drained <= self._drained:
            self._owner.give_up_slow_reader(f"the peer read next to nothing for {self._owner.config.send_timeout:g} s")
        else:
            self._drained = drained
            self._set_deadline(self._judge)

    def _count_drained(self) -> int:
        # As seen from here: the system takes more bytes only when the peer has made room for many.
        return self.bytes_sent - self._transport.get_write_buffer_size()

    # The end

    def finish(self) -> None:
        while self._backlog:
            super().put(self._take())

    def end(self) -> None:
        super().end()
        self._backlog.clear()
        self._backlog_bytes = 0

    # Looking

    @property
    def unsent(self) -> int:
        return len(self._backlog)

    @property
    def unsent_bytes(self) -> int:
        return super().unsent_bytes + self._backlog_bytes
