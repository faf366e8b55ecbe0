"""The pings of one connection that are under way (RFC 6455 section 5.5.2)."""

from __future__ import annotations

from itertools import count
from typing import Final

from flowsock.parking import WaitingRoom

_numbers: Final = count()


def new_ping() -> bytes:
    """Give a payload that no other ping has."""
    return next(_numbers).to_bytes(8)


class Ping:
    """A ping whose pong is awaited.

    Attributes:
        sent: When it was sent.
        round_trip: Seconds from then to its pong, or ``None`` before that.
        waiting: Whoever awaits the pong.
    """

    __slots__ = ("round_trip", "sent", "waiting")

    def __init__(self, sent: float) -> None:
        self.sent = sent
        self.round_trip: float | None = None
        self.waiting = WaitingRoom()


class Pings:
    """Tell which pong answers what.

    Law: a pong answers the ping with its payload and all before it (RFC 6455 section 5.5.3). Any other pong means nothing.

    Attributes:
        last: When the last ping was sent that keeps the connection alive, or 0.
        round_trip: Seconds between the last answered ping and its pong, or ``None``.
    """

    __slots__ = ("_kept_alive_by", "_under_way", "last", "round_trip")

    def __init__(self) -> None:
        self._under_way: dict[bytes, Ping] | None = None  # there only while there are any
        self._kept_alive_by = b""
        self.last = 0.0
        self.round_trip: float | None = None

    def keep_alive(self, payload: bytes, now: float) -> None:
        """Note a ping that nobody awaits; it takes the place of the one before."""
        self.forget(self._kept_alive_by)
        self._kept_alive_by = payload
        self.last = now
        self.expect(payload, now)

    def expect(self, payload: bytes, now: float) -> Ping:
        """Note a ping that is being sent."""
        if self._under_way is None:
            self._under_way = {}
        ping = self._under_way[payload] = Ping(now)
        return ping

    def forget(self, payload: bytes) -> None:
        """Note that nobody awaits a pong any more."""
        under_way = self._under_way
        if under_way is not None and under_way.pop(payload, None) is not None and not under_way:
            self._under_way = None

    def answer(self, payload: bytes, now: float) -> None:
        """Take a pong."""
        under_way = self._under_way
        if under_way is None or payload not in under_way:
            return
        for sent, ping in tuple(under_way.items()):
            self.forget(sent)
            ping.round_trip = self.round_trip = now - ping.sent
            ping.waiting.wake_all()
            if sent == payload:
                return

    def end(self) -> None:
        """Let nobody wait any more."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            for ping in under_way.values():
                ping.waiting.wake_all()
