"""A flow over time, as a value: what happened in a collection, and when."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

from flowsock.testing.events import Complete, Error, Event, Item, Left

T = TypeVar("T")


@frozen
class Timed(Generic[T]):
    """An event, and how many ticks after the start it happened.

    >>> print(Timed(2, Item("a")))
    Item(value='a') at 2
    """

    at: float
    event: Event[T] | Left

    def __str__(self) -> str:
        return f"{self.event} at {self.at:g}"


@frozen
class Timeline(Generic[T]):
    """What happened in one collection of a flow, and when; `parse_marbles` reads it from a line, `render_marbles` draws it.

    Attributes:
        events: What happened, in order; an end comes last.
        duration: How many ticks it took to the end, or how many were observed if the flow goes on.

    >>> timeline = await observe(interval(1), ticks=3)
    >>> [(timed.at, timed.event) for timed in timeline.events]
    [(1.0, Item(value=0)), (2.0, Item(value=1))]
    """

    events: tuple[Timed[T], ...]
    duration: float

    @property
    def end(self) -> Complete | Error | Left | None:
        """Tell how the collection ended; ``None`` if it goes on."""
        last = self.events[-1].event if self.events else None
        return None if isinstance(last, Item) else last

    def __str__(self) -> str:
        end = [] if self.end else [f"nothing more up to {self.duration:g}"]
        return ", ".join([*map(str, self.events), *end])
