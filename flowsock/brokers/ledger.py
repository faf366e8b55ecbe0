"""What has come from whom, so that nothing counts twice and nothing is missing unnoticed."""

from __future__ import annotations

from typing import Final

_MAX_ORIGINS: Final = 4096


class Ledger:
    """Know the number of the last message of each origin.

    Law: the messages of one origin come in the order of their numbers, except for those that are sent again, whose numbers were
    seen before. Of origins that have been silent for long, only the last few thousand are known.
    """

    __slots__ = ("_last", "_unsure")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._unsure: set[str] = set()

    def missing(self, origin: str, number: int) -> int:
        """Count the messages that should have come before this one; -1 if it came before itself."""
        last = self._last.get(origin)
        if last is None:
            return 0
        return max(number - last - 1, -1)

    def note(self, origin: str, number: int) -> bool:
        """Write a message down; tell whether what is missing before it was told already, by `forgive`."""
        self._last.pop(origin, None)
        self._last[origin] = number
        if len(self._last) > _MAX_ORIGINS:
            del self._last[next(iter(self._last))]
        if origin not in self._unsure:
            return False
        self._unsure.discard(origin)
        return True

    def forgive(self) -> None:
        """Learn that a gap was told: what is missing next from an origin is no news."""
        self._unsure = set(self._last)
