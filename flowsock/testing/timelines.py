"""A flow over time, as a value: what happened in a collection, and when."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

from flowsock.testing.events import Complete, Error, Event, Item, Stopped

T = TypeVar("T")


@frozen
class Timed(Generic[T]):
    """An event, and how many ticks after the start it happened."""

    at: float
    event: Event[T] | Stopped

    def __str__(self) -> str:
        return f"{self.event} at {self.at:g}"


@frozen
class Timeline(Generic[T]):
    """What happened in one collection of a flow, and when; `parse_marbles` reads it from a line, `render_marbles` draws it.

    Attributes:
        events: What happened, in order; an end comes last.
        duration: How many ticks it took to the end, or how many were observed if the flow goes on.
    """

    events: tuple[Timed[T], ...]
    duration: float

    @property
    def end(self) -> Complete | Error | Stopped | None:
        """Tell how the collection ended; ``None`` if it goes on."""
        last = self.events[-1].event if self.events else None
        return None if isinstance(last, Item) else last

    def __str__(self) -> str:
        end = [] if self.end else [f"nothing more up to {self.duration:g}"]
        return ", ".join([*map(str, self.events), *end])
