"""Values that wait at the same time, one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowsock.testing.time_axis import TimeAxis
    from flowsock.testing.tracks import Queued


def in_lanes(queued: Sequence[Queued], axis: TimeAxis, width: Callable[[Queued], float]) -> list[list[Queued]]:
    """Put each value that really waited, or was dropped, into the first lane that is free; give the lanes."""
    lanes: list[list[Queued]] = []
    ends: list[float] = []
    for each in queued:
        if axis.instant(each.at) == axis.instant(each.until) and not each.dropped:
            continue
        place = axis.place(each.at)
        lane = next((index for index, end in enumerate(ends) if end <= place), len(lanes))
        if lane == len(lanes):
            lanes.append([])
            ends.append(0)
        lanes[lane].append(each)
        ends[lane] = place + width(each)
    return lanes
