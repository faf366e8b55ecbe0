"""Where a moment has its place in a drawing: in proportion to time, and with room for what happens in it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flowsock.testing.tracks import Mark, Row

_SAME: Final = 0.002
"""What happens within so many seconds is one instant, on a real clock: a value takes a while through its pipeline."""


class TimeAxis:
    """The instants of a drawing, and how far from the left each one is.

    Args:
        rows: What is drawn.
        duration: The seconds that are drawn at least.
        width: How wide the marks of one instant in one row are.
        unit: How wide the shortest time between two instants is, if there is room.
        room: How wide everything is at most, as far as the marks allow it.
    """

    __slots__ = ("_instants", "_places", "end")

    def __init__(
        self, rows: Sequence[Row], duration: float, *, width: Callable[[Sequence[Mark]], float], unit: float, room: float
    ) -> None:
        self._instants = _instants(rows, duration)
        gaps = [later - earlier for earlier, later in zip(self._instants, self._instants[1:], strict=False)]
        scale = min(unit / min(gaps), room / sum(gaps)) if gaps else 0
        self._places = [0.0]
        for index, gap in enumerate(gaps):
            widest = max((width(marks) for row in rows if (marks := self.marks_of(row, index))), default=0)
            self._places.append(self._places[-1] + max(widest, round(gap * scale)))
        last = len(self._instants) - 1
        self.end = self._places[-1] + max((width(marks) for row in rows if (marks := self.marks_of(row, last))), default=0)

    def place(self, time: float) -> float:
        """Give the distance of a moment from the left."""
        return self._places[self.instant(time)]

    def instant(self, time: float) -> int:
        """Give the number of the instant that a moment belongs to."""
        return max(bisect_right(self._instants, time) - 1, 0)

    def marks_of(self, row: Row, instant: int) -> list[Mark]:
        """Give what happened in a row in one instant."""
        return [mark for mark in row.marks if self.instant(mark.at) == instant]

    def instants_of(self, row: Row) -> list[list[Mark]]:
        """Give the instants of a row in which something happened."""
        return [marks for instant in range(len(self._instants)) if (marks := self.marks_of(row, instant))]

    def times(self) -> Iterable[tuple[float, float]]:
        """Give each instant's time and place."""
        return zip(self._instants, self._places, strict=True)


def _instants(rows: Sequence[Row], duration: float) -> list[float]:
    times = {0.0, duration}
    for row in rows:
        times.update(time for mark in row.marks for time in (mark.at, mark.until))
        times.update(time for each in row.queued for time in (each.at, each.until))
        times.update([] if row.start is None else [row.start])
    same = min(_SAME, duration / 200)
    instants: list[float] = []
    previous = -1.0
    for time in sorted(times):
        if time - previous > same:
            instants.append(time)
        previous = time
    return instants
