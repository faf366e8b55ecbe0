"""Where values come from: generators, iterables, functions, clocks and producers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from anyio import current_time, get_cancelled_exc_class, sleep_until

from flowsock.channels.capacity import BUFFERED, BufferOverflow
from flowsock.channels.producing import Producer, fill
from flowsock.emitting import FAIR_TURN, TURN, settle, waiting
from flowsock.flows.operators.buffering import Channeled
from flowsock.flows.source import Source
from flowsock.flows.steps import Steps
from flowsock.scopes.groups import collapse, is_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable

    from flowsock.channels.channel import Channel
    from flowsock.emitting import Emit

T = TypeVar("T")


class IterableSource(Source[T]):
    """The elements of an iterable, which is iterated anew by each collection."""

    __slots__ = ("_iterable",)

    def __init__(self, iterable: Iterable[T]) -> None:
        self._iterable = iterable

    def collect(self, emit: Emit[T]) -> Coroutine[Any, Any, None]:
        return Steps().drive(self._iterable, emit)

    def collect_through(self, steps: Steps, emit: Emit[Any]) -> Coroutine[Any, Any, None]:
        return steps.drive(self._iterable, emit)


class GeneratorSource(Source[T]):
    """The values of an async iterator, which is made anew for each collection.

    A generator may yield inside ``async with``: it is driven, and closed, in the task that collects. A cancellation that
    arrives while the collector holds a value is thrown into the generator, so that its own timeouts work; any other error
    of the collector closes it and then goes on its way.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], AsyncIterator[T]]) -> None:
        self._make = make

    async def collect(self, emit: Emit[T]) -> None:
        iterator = self._make()
        cancelled = get_cancelled_exc_class()
        turns = FAIR_TURN
        step: Awaitable[T] = iterator.__anext__()
        while True:
            try:
                value = await step
            except StopAsyncIteration:
                return
            try:
                result = emit(value)
                if result is not None and (pending := waiting(result)) is not None:
                    await pending
                turns -= 1
                if not turns:
                    turns = FAIR_TURN
                    await TURN
            except cancelled as cancellation:
                step = _thrown(iterator, cancellation)
            except BaseException as failure:
                await _closed(iterator, failure)
                raise
            else:
                step = iterator.__anext__()


def _thrown(iterator: AsyncIterator[T], error: BaseException) -> Awaitable[T]:
    if not hasattr(iterator, "athrow"):
        raise error
    return cast("AsyncGenerator[T, None]", iterator).athrow(error)


async def _closed(iterator: AsyncIterator[Any], failure: BaseException) -> None:
    if not hasattr(iterator, "aclose"):
        return
    try:
        await cast("AsyncGenerator[Any, None]", iterator).aclose()
    except BaseException as raised:
        # A task group around a `yield` wraps the generator's own exit.
        error = collapse(raised) if is_group(raised) else raised
        if isinstance(error, GeneratorExit):
            return
        raise error from (failure if isinstance(failure, Exception) else error.__cause__)


class Borrowed(Generic[T]):
    """An async iterator of somebody else's, who closes it: a collection takes what it needs and leaves the rest."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: AsyncIterator[T]) -> None:
        self._iterator = iterator

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    def __anext__(self) -> Awaitable[T]:
        return self._iterator.__anext__()


class FunctionSource(Source[Any]):
    """The one result of a function, sync or async, which each collection calls."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    async def collect(self, emit: Emit[Any]) -> None:
        await settle(emit(await settle(self._function())))


class IntervalSource(Source[int]):
    """Counts 0, 1, 2, … at a fixed rate; a tick that a slow collector missed is skipped."""

    __slots__ = ("_initial_delay", "_period")

    def __init__(self, period: float, initial_delay: float) -> None:
        if period <= 0 or initial_delay < 0:
            raise ValueError(f"interval needs a period above 0 s and no negative delay, got {period} and {initial_delay}")
        self._period = period
        self._initial_delay = initial_delay

    async def collect(self, emit: Emit[int]) -> None:
        due = current_time() + self._initial_delay
        count = 0
        while True:
            await sleep_until(due)
            await settle(emit(count))
            count += 1
            missed = (current_time() - due) // self._period
            due += self._period * max(missed + 1, 1)


class ProducedSource(Channeled[T]):
    """What a body, and the jobs it launches, send to a producer."""

    __slots__ = ("_body",)

    def __init__(
        self,
        body: Callable[[Producer[T]], Awaitable[object]],
        capacity: int = BUFFERED,
        overflow: BufferOverflow = BufferOverflow.SUSPEND,
    ) -> None:
        super().__init__(capacity, overflow)
        self._body = body

    def resized(self, capacity: int, overflow: BufferOverflow) -> ProducedSource[T]:
        return ProducedSource(self._body, capacity, overflow)

    def new_channel(self) -> Producer[T]:
        return Producer(self.capacity, self.overflow)

    async def produce(self, channel: Channel[T]) -> None:
        await fill(cast("Producer[T]", channel), self._body)
