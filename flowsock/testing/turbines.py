"""A flow under test, event by event."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from anyio import CancelScope, move_on_after
from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.parking import WaitingRoom
from flowsock.scopes.groups import task_group
from flowsock.testing.events import Complete, Error, Item

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import TaskStatus

    from flowsock.flows.flow import Flow
    from flowsock.flows.source import Source
    from flowsock.testing.events import Event

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def turbine(flow: Flow[T], *, timeout: float = 3.0, name: str | None = None) -> AbstractAsyncContextManager[Turbine[T]]:
    """Collect a flow beside the test, which asks for its events one by one: ``async with turbine(flow) as events: …``.

    Law: the collection has run to its first suspension when the block starts, so that a hot flow already has its subscriber.
    (Operators with tasks of their own, as `merge` and `buffer`, subscribe to what is above them a few turns later.)
    Law: leaving the block cancels the collection and waits until it has cleaned up. Events that nobody asked for then fail
    the test with a list of them. What the block raised comes out of it as it is, with that list as a note.

    Args:
        flow: What to collect.
        timeout: The longest wait for one event, in seconds of the event loop's clock. On virtual time these pass at once when
            nothing else can happen, so no wait hangs; but a flow that pauses for longer needs a longer timeout there too.
        name: What to call the flow when something is wrong.

    Raises:
        ValueError: the timeout is not positive.
        AssertionError: on leaving, if events were left.

    >>> async with turbine(flow_of("a", "b")) as events:
    ...     print(await events.item(), await events.item())
    ...     await events.complete()
    a b
    """
    if not timeout > 0:
        raise ValueError(f"timeout must be more than 0 seconds: {timeout}")
    return _collecting(Turbine(repr(flow) if name is None else name, timeout), flow.source)


@asynccontextmanager
async def _collecting(events: Turbine[T], source: Source[T]) -> AsyncGenerator[Turbine[T], None]:
    try:
        async with task_group() as tasks:
            await tasks.start(events.collect, source)
            try:
                yield events
            finally:
                tasks.cancel_scope.cancel()
    except Exception as error:
        events.note_rest(error)
        raise
    events.check_rest()


class Turbine(Generic[T]):
    """The events of one collection, in their order; made by `turbine`.

    Law: each item is given once. The end of the flow comes after its last item, and again each time it is asked for.
    """

    __slots__ = ("_end", "_end_is_consumed", "_ignores_rest", "_items", "_name", "_scope", "_stopped", "_timeout", "_waiting")

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._items: deque[Item[T]] = deque()
        self._end: Complete | Error | None = None
        self._end_is_consumed = False
        self._ignores_rest = False
        self._stopped = False
        self._waiting = WaitingRoom()

    def __repr__(self) -> str:
        return f"<Turbine of {self._name}: {_listed(self._rest())}>"

    # What a test asks for

    async def item(self) -> T:
        """Give the next event's value.

        Raises:
            AssertionError: the flow ended instead, or nothing came in time.
        """
        event = await self._next("an item")
        if not isinstance(event, Item):
            raise self._wrong("an item", [event])
        return event.value

    async def complete(self) -> None:
        """Wait for the flow's completion as the next event.

        Raises:
            AssertionError: an item or an error came instead, or nothing in time.
        """
        event = await self._next("completion")
        if not isinstance(event, Complete):
            raise self._wrong("completion", [event])

    @overload
    async def error(self, /) -> Exception: ...
    @overload
    async def error(self, kind: type[E], /) -> E: ...
    async def error(self, kind: type[Exception] = Exception, /) -> Exception:
        """Give the error with which the flow failed as the next event.

        Args:
            kind: The class that the error must be of.

        Raises:
            AssertionError: an item, completion or another error came instead, or nothing in time.
        """
        expected = "an error" if kind is Exception else f"an error of class {kind.__name__}"
        event = await self._next(expected)
        if not isinstance(event, Error) or not isinstance(event.error, kind):
            raise self._wrong(expected, [event])
        return event.error

    async def skip(self, count: int, /) -> None:
        """Consume so many items.

        Raises:
            AssertionError: the flow ended before, or nothing came in time.
            ValueError: the count is negative.
        """
        if count < 0:
            raise ValueError(f"count must not be negative: {count}")
        skipped: list[Event[T]] = []
        while len(skipped) < count:
            skipped.append(await self._next(f"item {len(skipped) + 1} of {count} to skip"))
            if not isinstance(skipped[-1], Item):
                raise self._wrong(f"{count} items to skip", skipped)

    def latest(self) -> T:
        """Give the newest item that is there, and drop the older ones; the flow's completion stays to be asked for.

        Raises:
            AssertionError: there is no item.
            Exception: the flow failed: its own error.
        """
        if isinstance(self._end, Error):
            self._items.clear()
            self._end_is_consumed = True
            raise self._end.error
        if not self._items:
            raise self._wrong("an item to be there", self._rest())
        newest = self._items[-1]
        self._items.clear()
        return newest.value

    def no_events(self) -> None:
        """Make sure that no event is there that was not asked for.

        Raises:
            AssertionError: there is one.
        """
        rest = self._rest()
        if rest:
            raise self._wrong("no events", rest)

    def rest(self) -> list[Event[T]]:
        """Consume and give the events that are there; `cancel` before, and there will be no more."""
        rest = self._rest()
        self._items.clear()
        self._end_is_consumed = self._end is not None
        return rest

    def ignore_rest(self) -> None:
        """Let the block be left with events that nobody asked for, whether they are there already or still come."""
        self._ignores_rest = True

    async def cancel(self) -> None:
        """Stop collecting, and wait until the flow has cleaned up.

        Law: events that came before stay to be asked for; being cancelled is none. An error while cleaning up is one.
        """
        self._scope.cancel()
        while not self._stopped:
            await self._waiting.sleep()

    # What `turbine` does

    async def collect(self, source: Source[T], *, task_status: TaskStatus[None]) -> None:
        """Collect in the running task until the flow ends or `cancel` is called."""
        with CancelScope() as self._scope:
            # Whoever waits for this runs only after the first suspension.
            task_status.started()
            try:
                await source.collect(self._add)
                self._end = Complete()
            except Exception as error:
                self._end = Error(error)
            finally:
                self._stopped = True
                self._waiting.wake_all()

    def check_rest(self) -> None:
        """Raise an error if events are left that must not be."""
        rest = self._rest()
        if rest and not self._ignores_rest:
            raise AssertionError(f"{self._name}: unconsumed events: {_listed(rest)}") from _cause(rest)

    def note_rest(self, error: Exception) -> None:
        """Add the events that are left, if that matters, to an error of the test."""
        rest = self._rest()
        if rest and not self._ignores_rest:
            error.add_note(f"{self._name}: unconsumed events: {_listed(rest)}")

    def _add(self, value: T) -> None:
        self._items.append(Item(value))
        self._waiting.wake_all()

    async def _next(self, expected: str) -> Event[T]:
        if not self._items and not self._stopped:
            with move_on_after(self._timeout):
                while not self._items and not self._stopped:
                    await self._waiting.sleep()
        if self._items:
            return self._items.popleft()
        if self._end is not None:
            self._end_is_consumed = True
            return self._end
        # If the test itself is being cancelled, so is the collection, and that is no failure.
        await checkpoint_if_cancelled()
        reason = "the collection was cancelled" if self._stopped else f"waited {self._timeout:g} s"
        raise AssertionError(f"{self._name}: expected {expected}, found nothing ({reason})")

    def _rest(self) -> list[Event[T]]:
        end = [] if self._end is None or self._end_is_consumed else [self._end]
        return [*self._items, *end]

    def _wrong(self, expected: str, found: list[Event[T]]) -> AssertionError:
        error = AssertionError(f"{self._name}: expected {expected}, found {_listed(found)}")
        error.__cause__ = _cause(found)
        return error


def _listed(events: list[Event[T]]) -> str:
    return ", ".join(map(repr, events)) or "nothing"


def _cause(events: list[Event[T]]) -> Exception | None:
    return events[-1].error if events and isinstance(events[-1], Error) else None
