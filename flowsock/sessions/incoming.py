"""A connection's messages as a hot source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowsock.clause import NOTHING, Nothing
from flowsock.flows.conduit import ChannelSubscriber, poll
from flowsock.flows.source import HotSource

if TYPE_CHECKING:
    from flowsock.emitting import Emit
    from flowsock.flows.subscriber import Subscriber
    from flowsock.sessions.connection.connection import Connection


class _Reader(ChannelSubscriber[Any]):
    """A collector of a connection's messages; it lets the socket be read again once it has caught up."""

    __slots__ = ("_incoming",)

    def __init__(self, incoming: Incoming, emit: Emit[Any]) -> None:
        super().__init__(incoming.connection.messages, emit)
        self._incoming = incoming

    def next_value(self) -> Any | Nothing:
        value = poll(self.channel, self)
        if value is not NOTHING:
            self._incoming.connection.relieve()
        return value

    def released(self) -> None:
        super().released()
        self._incoming.collectors -= 1


class Incoming(HotSource[Any]):
    """What the peer sends, dispatched to an idle collector while the bytes are being read.

    Attributes:
        collectors: How many there are now; each message goes to one of them.
        collections: How many there were so far.
    """

    __slots__ = ("collections", "collectors", "connection")

    direct = True

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.collectors = 0
        self.collections = 0

    def subscribe(self, emit: Emit[Any]) -> Subscriber[Any]:
        self.collectors += 1
        self.collections += 1
        return _Reader(self, emit)
