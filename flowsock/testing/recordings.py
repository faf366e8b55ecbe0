"""Writing down what happens in a collection while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from anyio import current_time

from flowsock.testing.timelines import Timed, Timeline

if TYPE_CHECKING:
    from flowsock.testing.events import Event, Left

T = TypeVar("T")


class Recording(Generic[T]):
    """A collection that starts now, and its events with their times in ticks."""

    __slots__ = ("_events", "_start", "_tick")

    def __init__(self, tick: float) -> None:
        self._events: list[Timed[T]] = []
        self._start = current_time()
        self._tick = tick

    def add(self, event: Event[T] | Left) -> None:
        """Write down what happens now."""
        self._events.append(Timed(self._now(), event))

    def timeline(self) -> Timeline[T]:
        """Give what happened up to now."""
        timeline = Timeline(tuple(self._events), self._now())
        return Timeline(timeline.events, timeline.events[-1].at) if timeline.end else timeline

    def _now(self) -> float:
        # What floating-point time loses in sums must not put an event between two ticks.
        return round((current_time() - self._start) / self._tick, 6)
