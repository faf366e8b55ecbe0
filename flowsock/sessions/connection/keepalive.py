"""One timer that tends all connections of a server or a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowsock.sessions.connection.pings import new_ping

if TYPE_CHECKING:
    from flowsock.sessions.connection.connection import Connection
    from flowsock.sessions.connection.transport import Clock, Timer

_LONGEST: Final = 1.0
_SHARE: Final = 8
_READ_FIRST: Final = 0.001


class Keepalive:
    """Ping what is silent and give up what does not answer, to within an eighth of the shortest interval, at most 1 s."""

    __slots__ = ("_clock", "_connections", "_period", "_timer")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._connections: set[Connection] = set()
        self._period = _LONGEST
        self._timer: Timer | None = None

    def add(self, connection: Connection) -> None:
        """Tend a connection from now on, by the settings that it has now."""
        connection.keepalive = self
        interval = connection.config.ping_interval
        if interval is None:
            self._leave(connection)
            return
        self._connections.add(connection)
        period = min(interval / _SHARE, connection.config.ping_timeout / _SHARE)
        if period < self._period:
            self._period = period
            self._stop()
        if self._timer is None:
            self._timer = self._clock.call_later(self._period, self._tick)

    def discard(self, connection: Connection) -> None:
        """Tend a connection no more."""
        connection.keepalive = None
        self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        # After the event loop was blocked, answers lie unread in the sockets: they come before this timer.
        self._timer = self._clock.call_later(_READ_FIRST, self._tend_all)

    def _tend_all(self) -> None:
        self._timer = self._clock.call_later(self._period, self._tick)
        now = self._clock.time()
        payload = new_ping()
        for connection in tuple(self._connections):
            connection.tend(now, payload)
