"""Who sends: one topic in one process."""

from __future__ import annotations

from secrets import token_hex

from flowsock.brokers.envelope import Envelope


class Origin:
    """Number what one sender sends to one topic, under an id that nobody else has."""

    __slots__ = ("_number", "id")

    def __init__(self) -> None:
        self.id = token_hex(8)
        self._number = 0

    def wrap(self, content: str | bytes) -> bytes:
        """Give a message its envelope."""
        self._number += 1
        return Envelope(self.id, self._number, content).pack()
