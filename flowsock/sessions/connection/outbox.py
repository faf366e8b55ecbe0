"""What goes to a peer, no faster than the peer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from flowsock.emitting import FAIR_TURN, READY, TURN
from flowsock.parking import WaitingRoom
from flowsock.sessions.connection.one_timer import OneTimer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from flowsock.sessions.config import WebSocketConfig
    from flowsock.sessions.connection.connection_codec import Encoder
    from flowsock.sessions.connection.transport import Clock, Transport
    from flowsock.sessions.events.event_stream_config import EventStreamConfig

    OutboxConfig: TypeAlias = WebSocketConfig | EventStreamConfig


class Owner(Protocol):
    """The connection whose messages these are."""

    @property
    def config(self) -> OutboxConfig:
        """Give the settings that hold now."""
        ...

    def check_open(self) -> None:
        """Raise what a use of the ended connection raises."""
        ...

    def give_up_slow_reader(self, why: str) -> None:
        """End the connection, because its peer does not read."""
        ...


class _Flush:
    """A suspended ``send``: awaitable until the peer has read enough, or the connection ended."""

    __slots__ = ("_outbox", "_owner")

    def __init__(self, outbox: Outbox, owner: Owner) -> None:
        self._outbox = outbox
        self._owner = owner

    def __await__(self) -> Generator[object, object, None]:
        outbox = self._outbox
        while outbox.is_clogged:
            yield from outbox.room_for_writers().sleep().__await__()
        self._owner.check_open()


class Outbox(OneTimer):
    """Write to a transport, and make whoever sends wait while the peer does not read (`SlowReader.SUSPEND`).

    Laws: frames go out whole and in order. While `corked` they are gathered, up to ``outgoing_high_water`` bytes, into one
    write. Of the pongs that fall due while the peer does not read, only the last is sent.

    Attributes:
        corked: Whether frames are gathered.
        is_clogged: Whether the peer is behind.
        bytes_sent: Bytes written, or gathered to be.
        messages_sent: Whole messages among them.
        dropped: Messages that were given up for newer or older ones.
    """

    __slots__ = (
        "_codec",
        "_flush_at",
        "_gathered",
        "_owner",
        "_pong_due",
        "_transport",
        "_writers",
        "bytes_sent",
        "corked",
        "dropped",
        "is_clogged",
        "messages_sent",
    )

    def __init__(self, owner: Owner, transport: Transport, clock: Clock, codec: Encoder) -> None:
        super().__init__(clock)
        self._writers: WaitingRoom | None = None
        self.corked = False
        self.is_clogged = False
        self.bytes_sent = 0
        self.messages_sent = 0
        self.dropped = 0
        self._owner = owner
        self._transport = transport
        self._codec = codec
        self._gathered: list[Any] = []
        self._flush_at = owner.config.outgoing_high_water
        self._pong_due: bytes | None = None

    # Writing

    def put(self, message: object) -> Awaitable[None]:
        """Write a message; the result suspends while the peer is behind."""
        if type(message) is str:
            frame = self._codec.text(message)
        else:
            frame = self._codec.binary(message) if type(message) is bytes else self.encode(message)
        self.messages_sent += 1
        self.bytes_sent += len(frame)
        if self.corked:
            # A reply to what is being read needs no turn: one read is bounded, and the event loop has its turn after it.
            self._gather(frame)
            return _Flush(self, self._owner) if self.is_clogged else READY
        self._transport.write(frame)
        if self.is_clogged:
            return _Flush(self, self._owner)
        return READY if self.messages_sent % FAIR_TURN else TURN

    def encode(self, message: object) -> Any:
        """Give the frame of a message that is not of the plainest kinds."""
        return self._codec.text(message) if isinstance(message, str) else self._codec.binary(payload_of(message))

    def write(self, frame: Any) -> None:
        """Write a frame, or gather it."""
        self.bytes_sent += len(frame)
        if self.corked:
            self._gather(frame)
        else:
            self._transport.write(frame)

    def _gather(self, frame: Any) -> None:
        self._gathered.append(frame)
        if self.bytes_sent > self._flush_at:
            # At the latest: what was written meanwhile, and not gathered, counts too.
            self._flush_at = self.bytes_sent + self._owner.config.outgoing_high_water
            self._flush()

    def uncork(self) -> None:
        """Write what was gathered."""
        self.corked = False
        gathered = self._gathered
        if len(gathered) == 1:
            self._transport.write(gathered.pop())
        elif gathered:
            self._flush()

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._transport.write(self._codec.gather(gathered))

    def pong(self, payload: bytes) -> None:
        """Answer a ping, when the peer reads."""
        if self.is_clogged:
            self._pong_due = payload
        else:
            self.write(self._codec.pong(payload))

    # Waiting for the peer

    def pause(self) -> None:
        """Learn that the peer does not read as fast as we write."""
        self.is_clogged = True
        self._set_deadline(self._give_up)

    def resume(self) -> None:
        """Learn that the peer has read most of what waited for it."""
        self.is_clogged = False
        self._clear_timer()
        if self._pong_due is not None:
            payload, self._pong_due = self._pong_due, None
            self.write(self._codec.pong(payload))
        self._wake_writers()

    def room_for_writers(self) -> WaitingRoom:
        """Give where to wait for the peer to read; made when somebody first does."""
        self._writers = self._writers or WaitingRoom()
        return self._writers

    def _wake_writers(self) -> None:
        if self._writers is not None:
            self._writers.wake_all()

    def _give_up(self) -> None:
        self._owner.give_up_slow_reader(f"the peer did not catch up in {self._owner.config.send_timeout:g} s")

    def _set_deadline(self, callback: Callable[[], object]) -> None:
        self._set_timer(self._owner.config.send_timeout, callback)

    # The end

    def finish(self) -> None:
        """Write what still waits for the peer, which is little: a Close follows."""

    def end(self) -> None:
        """Keep nothing, and let nobody wait any more."""
        self.is_clogged = False
        self._pong_due = None
        self._clear_timer()
        self._wake_writers()

    # Looking

    @property
    def unsent(self) -> int:
        """Count the messages that wait for the peer here."""
        return 0

    @property
    def unsent_bytes(self) -> int:
        """Count the bytes that wait for the peer, here and in the transport."""
        return self._transport.get_write_buffer_size()


def payload_of(message: object) -> bytes:
    """Give the content of a message that is no text.

    Raises:
        TypeError: there is no frame for it.
    """
    if isinstance(message, bytes | bytearray):
        return bytes(message)
    if isinstance(message, memoryview):
        return message.tobytes()
    raise TypeError(f"a session sends str or bytes, not {type(message).__name__}: encode it first")
