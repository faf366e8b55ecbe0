"""One timer that tends all connections of a server or a client."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flowsock.sessions.connection import Connection
    from flowsock.sessions.transport import Clock, Timer

_LONGEST: Final = 1.0
_SHARE: Final = 8
_READ_FIRST: Final = 0.001


class Keepalive:
    """Ping what is silent and give up what does not answer, to within an eighth of the shortest interval, at most 1 s."""

    __slots__ = ("_clock", "_connections", "_payloads", "_period", "_timer")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._connections: set[Connection] = set()
        self._payloads = count()
        self._period = _LONGEST
        self._timer: Timer | None = None

    def add(self, connection: Connection) -> None:
        """Tend a connection from now on."""
        interval = connection.config.ping_interval
        if interval is None:
            return
        self._connections.add(connection)
        self._period = min(self._period, interval / _SHARE, connection.config.ping_timeout / _SHARE)
        if self._timer is None:
            self._timer = self._clock.call_later(self._period, self._tick)

    def discard(self, connection: Connection) -> None:
        """Tend a connection no more."""
        self._connections.discard(connection)
        if not self._connections and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        # After the event loop was blocked, answers lie unread in the sockets: they come before this timer.
        self._timer = self._clock.call_later(_READ_FIRST, self._tend_all)

    def _tend_all(self) -> None:
        self._timer = self._clock.call_later(self._period, self._tick)
        now = self._clock.time()
        payload = next(self._payloads).to_bytes(8)
        for connection in tuple(self._connections):
            connection.tend(now, payload)
