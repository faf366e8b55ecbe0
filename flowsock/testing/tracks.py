"""What one stage of a running pipeline lets through, as it happens, and as a value to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from anyio import CancelScope, current_time, get_cancelled_exc_class
from attrs import frozen

from flowsock.emitting import discard, waiting
from flowsock.testing.events import Complete, Error, Item, Left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from flowsock.emitting import Emit
    from flowsock.testing.events import Event

MOST_MARKS: Final = 1000
"""How much is recorded at most: a flow that never waits would fill the memory with a drawing that nobody can read."""


@frozen
class Mark:
    """An event, when it happened, and until when what is below made its producer wait; in seconds from the start."""

    at: float
    event: Event[Any] | Left
    until: float


@frozen
class Queued:
    """A value in a buffer: when it came, when it went, and whether nobody got it."""

    value: Any
    at: float
    until: float
    dropped: bool


@frozen
class Row:
    """What one stage did: a line of a drawing.

    Attributes:
        name: The stage.
        marks: What it let through, and how its collections ended.
        queued: What waited in it.
        start: When it was collected first; ``None`` if it never was.
    """

    name: str
    marks: tuple[Mark, ...] = ()
    queued: tuple[Queued, ...] = ()
    start: float | None = None


class Clock:
    """The time since the start of an observation, which ends when there is too much to draw."""

    __slots__ = ("_left", "_start", "scope")

    def __init__(self, seconds: float) -> None:
        self._start = current_time()
        self._left = MOST_MARKS
        self.scope = CancelScope(deadline=self._start + seconds)

    def now(self) -> float:
        # What floating-point time loses in sums must not put an event beside an instant.
        return round(current_time() - self._start, 6)

    def count(self) -> None:
        """Take note of one more mark."""
        self._left -= 1
        if not self._left:
            self.scope.cancel()

    @property
    def is_over(self) -> bool:
        """Tell whether what still happens is only that the observer leaves."""
        return self.scope.cancel_called


class Passage:
    """A value on its way through a buffer."""

    __slots__ = ("_clock", "at", "dropped", "until", "value")

    def __init__(self, value: Any, clock: Clock) -> None:
        self._clock = clock
        self.value = value
        self.at = clock.now()
        self.until: float | None = None
        self.dropped = False

    def leave(self) -> Any:
        """Give the value to what is below the buffer."""
        self.until = self._clock.now()
        return self.value

    def drop(self) -> None:
        """Learn that nobody will get it; at the end of the observation everything is cleared away."""
        if self.until is None and not self._clock.is_over:
            self.leave()
            self.dropped = True


class _Marking:
    """A mark that is being made: what is below may still have to take its value."""

    __slots__ = ("at", "event", "until")

    def __init__(self, at: float, event: Event[Any] | Left) -> None:
        self.at = at
        self.event = event
        self.until: float | None = at


class _Taking:
    """What has to be awaited until the value of a mark is taken."""

    __slots__ = ("_mark", "_pending", "_track")

    def __init__(self, pending: Awaitable[object], mark: _Marking, track: Track) -> None:
        self._pending = pending
        self._mark = mark
        self._track = track
        mark.until = None

    def __await__(self) -> Generator[object, object, None]:
        try:
            yield from self._pending.__await__()
        except BaseException as error:
            self._track.note(error)
            raise
        finally:
            self._mark.until = self._track.clock.now()

    def close(self) -> None:
        self._mark.until = self._mark.at
        discard(self._pending)


class Track:
    """One stage while it runs."""

    __slots__ = ("_failure", "_marks", "_name", "_passages", "_start", "clock")

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self.clock = clock
        self._marks: list[_Marking] = []
        self._passages: list[Passage] = []
        self._start: float | None = None
        self._failure: BaseException | None = None

    @property
    def failed_below(self) -> bool:
        """Tell whether what is below raised an error through this stage."""
        return self._failure is not None

    def begin(self) -> None:
        """Learn that a collection begins."""
        self._failure = None
        if self._start is None:
            self._start = self.clock.now()

    def end(self, error: BaseException | None, *, left: bool) -> None:
        """Learn how the collection ended: by completion, by an error of this stage or of one above, or by leaving.

        Args:
            error: What came out.
            left: Whether what is below has left.
        """
        if self.clock.is_over:
            return
        if error is None:
            self._add(Complete())
        elif isinstance(error, Exception) and not left:
            self._add(Error(error))
        else:
            self._add(Left())

    def note(self, error: BaseException) -> None:
        """Learn that what is below raised an error through this stage; a cancellation comes from anywhere."""
        if not isinstance(error, get_cancelled_exc_class()):
            self._failure = error

    def stage(self, emit: Emit[Any]) -> Emit[Any]:
        """Write down what passes on its way to ``emit``."""

        def record(value: Any) -> object:
            self._failure = None
            mark = self._add(Item(value))
            try:
                result = emit(value)
            except BaseException as error:
                self.note(error)
                raise
            pending = waiting(result)
            return None if pending is None else _Taking(pending, mark, self)

        return record

    def entrance(self, emit: Emit[Any]) -> Emit[Any]:
        """Let values into a buffer, each with a note of when it came."""

        def enter(value: Any) -> object:
            passage = Passage(value, self.clock)
            self._passages.append(passage)
            return emit(passage)

        return enter

    def row(self) -> Row:
        """Give what happened up to now."""
        now = self.clock.now()
        marks = tuple(Mark(mark.at, mark.event, now if mark.until is None else mark.until) for mark in self._marks)
        queued = tuple(
            Queued(each.value, each.at, now if each.until is None else each.until, each.dropped) for each in self._passages
        )
        return Row(self._name, marks, queued, self._start)

    def _add(self, event: Event[Any] | Left) -> _Marking:
        mark = _Marking(self.clock.now(), event)
        self._marks.append(mark)
        self.clock.count()
        return mark


def exit_of_a_buffer(emit: Emit[Any]) -> Emit[Any]:
    """Unpack the values that come out of a buffer."""
    return lambda passage: emit(passage.leave())
