"""A connection that does nothing by itself: frames in and frames out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flowsock.emitting import READY
from flowsock.sessions.connection.connection import Connection, State
from flowsock.sessions.connection.outbox import Outbox
from flowsock.wire.close import CloseCode, CloseReason
from flowsock.wire.frame import Frame, Opcode

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowsock.wire.frame_codec import FrameCodec
    from flowsock.wire.frames import Event


class _FrameOutbox(Outbox):
    """Write frames."""

    __slots__ = ()

    def encode(self, message: object) -> bytes:
        return cast("FrameCodec", self._codec).frame(cast("Frame", message))


class RawConnection(Connection):
    """Carry frames until both sides have sent a Close.

    Laws: pings and Closes of the peer are answered by nobody but the user, who may go on sending after the peer's Close. What
    breaks the protocol or a limit ends the connection as it does in a `Connection`. Nothing is written after a Close of ours,
    and frames that come after it are delivered up to the peer's Close.
    """

    __slots__ = ()

    def _make_outbox(self) -> Outbox:
        return _FrameOutbox(self, self._transport, self._clock, self._codec)

    def send(self, message: object) -> Awaitable[None]:
        self.check_open()
        if not isinstance(message, Frame):
            raise TypeError(f"a raw session sends Frame values, not {type(message).__name__}")
        if message.opcode is not Opcode.CLOSE:
            return self._outbox.put(message)
        self._outbox.write(self._outbox.encode(message))
        self._close_sent(message.close_reason or CloseReason(CloseCode.NO_STATUS))
        return READY

    def _may_send(self) -> bool:
        return self._state in (State.OPEN, State.HALF_CLOSED)

    def _control(self, event: Event) -> None:
        if not isinstance(event, Frame):
            super()._control(event)
            return
        if event.opcode is Opcode.PONG:
            self._pings.answer(event.payload, self._clock.time())
        if not self.messages.is_closed_for_send:
            self._messages_received += 1
            self._queue(event)
        if event.opcode is Opcode.CLOSE:
            self._close_received(event.close_reason or CloseReason(CloseCode.NO_STATUS))

    def _close_received(self, reason: CloseReason) -> None:
        self.messages.close()
        if self._state is State.OPEN:
            self.reason = reason
            self._state = State.HALF_CLOSED
            self._on_gone()
        else:
            self._shut_down()

    def _close_sent(self, reason: CloseReason) -> None:
        if self._state is State.HALF_CLOSED:
            self._release(None)
            self._shut_down()
            return
        self.reason = reason
        self._state = State.CLOSING
        self._outbox.end()
        self._set_timer(self.config.close_timeout, self._transport.abort)

    def close(self, reason: CloseReason) -> None:
        match self._state:
            case State.OPEN:
                super().close(reason)
            case State.HALF_CLOSED:
                assert self.reason is not None
                self._outbox.write(self._codec.close(self.reason))
                self._close_sent(self.reason)
            case _:
                # Our Close is a frame that the user sent: nobody wants what still comes.
                self._release(None)

    def give_up_slow_reader(self, why: str) -> None:
        if self._state is State.OPEN:
            super().give_up_slow_reader(why)
        else:
            self._transport.abort()

    def abandon(self, reason: CloseReason) -> None:
        if self._state is State.HALF_CLOSED:
            self.close(reason)
        super().abandon(reason)
