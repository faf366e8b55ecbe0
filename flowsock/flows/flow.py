"""`Flow`, the façade over sources and operators, and its read-only hot faces `SharedFlow` and `StateFlow`."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from flowsock.channels.capacity import BUFFERED, CONFLATED, RENDEZVOUS, BufferOverflow
from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import ignore, settle
from flowsock.flows.conflation import Conflation, same_value
from flowsock.flows.counting import subscription_count
from flowsock.flows.iteration import Opened, iterate
from flowsock.flows.listening import launch
from flowsock.flows.operators import buffering, combining, flattening, handling, limit, resuming, terminal, timing, transform
from flowsock.flows.producing import produce_in
from flowsock.flows.sharing import SharingStarted, first_state, share, sharing_engine, unbuffered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from aioreactive import AsyncObservable

    from flowsock.channels.channel import Channel
    from flowsock.emitting import Emit, Emitter
    from flowsock.flows.dispatcher import Dispatcher, StateEngine
    from flowsock.flows.sharing import SharingCommand
    from flowsock.flows.source import Source
    from flowsock.flows.statistics import SharedFlowStatistics
    from flowsock.scopes.job import Job
    from flowsock.scopes.restart import Backoff
    from flowsock.scopes.scope import Scope

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K")
T_co = TypeVar("T_co", covariant=True)


# The buffers that do what a state flow does anyway.
_CONFLATING = (
    (CONFLATED, BufferOverflow.SUSPEND),
    (BUFFERED, BufferOverflow.DROP_OLDEST),
    (RENDEZVOUS, BufferOverflow.DROP_OLDEST),
    (1, BufferOverflow.DROP_OLDEST),
)


def _decided_by(started: SharingStarted | None) -> Callable[[Source[int]], Source[SharingCommand]]:
    strategy = started or SharingStarted.while_subscribed()
    return lambda counts: strategy.commands(Flow(counts)).source


def _pair(first: Any, second: Any) -> tuple[Any, Any]:
    return first, second


class Flow(Generic[T_co]):
    """A stream of values that is described first and runs when it is collected (Kotlin: ``Flow``).

    Laws that every operator keeps:

    - *Cold.* Building a pipeline runs nothing; each collection runs it from the start, with fresh state.
    - *Sequential.* A value is handled to its end before the next one is asked for, in one task, unless the operator says
      otherwise (buffer, merge, combine, zip_with, debounce, sample, chunked within a time, flat_map_merge, map_concurrent, the
      ``_latest`` family).
    - *Back-pressure.* Whoever has to wait makes its producer wait, up to the source. Nothing is dropped unless an operator was
      told to.
    - *Transparency.* An error ends the collection and comes out of it. `catch` and `retry` see errors from above them only.
    - *Early stop.* `take`, `first` and their like stop the upstream, which cleans up before they return.
    - *Cancellation.* Cancelling the collecting task cancels all there is above it; nothing is left running.

    Callbacks may be plain or coroutine functions. A callback that may emit gets ``emit`` as its first argument. Sizes and
    durations are checked when the operator is applied; durations are seconds.

    What there is, by what it is for:

    - *Running*: `collect`, `collect_indexed`, `collect_latest`, `launch_in`, `produce_in`, `open`, ``async for``.
    - *One result*: `first`, `single`, `last`, `any`, `all`, `none`, `count`, `fold`, `reduce`, `to_list`, `to_set`, `to_dict`,
      `group_by`.
    - *Each value*: `map`, `map_not_none`, `map_concurrent`, `map_latest`, `filter`, `filter_not`, `filter_is`,
      `filter_not_none`, `transform`, `transform_latest`, `on_each`, `with_index`.
    - *A value and those before it*: `scan`, `running_reduce`, `pairwise`, `chunked`, `distinct_until_changed`,
      `distinct_until_changed_by`.
    - *A part*: `take`, `take_while`, `transform_while`, `drop`, `drop_while`.
    - *Time*: `debounce`, `sample`, `throttle_first`, `rate_limit`, `timeout`.
    - *Pace*: `buffer`, `conflate`, `cancellable`.
    - *Several flows*: `zip_with`; `flowsock.merge` and `flowsock.combine`.
    - *Flows of flows*: `flat_map_concat`, `flat_map_merge`, `flat_map_latest`, `flatten_concat`, `flatten_merge`.
    - *Beginning, end and failure*: `start_with`, `on_start`, `on_completion`, `on_empty`, `catch`, `retry`, `retry_when`.
    - *Sharing*: `share_in`, `state_in`, `to_observable`.
    - *Your own*: `pipe`.

    The examples have ``from flowsock import *`` and ``from anyio import sleep``. In a diagram the upper lines are the flows
    that go in, called a, b, … from the top; then come the call, a method of the first, and the line of what comes out. A
    character is a second, ``|`` completion, ``#`` an error, ``(…)`` one instant; what is longer than a character happens at its
    first one.

    >>> await flow_of(1, 2, 3).map(lambda n: n * 10).to_list()
    [10, 20, 30]
    """

    __slots__ = ("source",)

    def __init__(self, source: Source[T_co]) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {type(self.source).__name__}>"

    def _over(self, source: Source[T_co]) -> Flow[T_co]:
        return self if source is self.source else Flow(source)

    # Collecting

    def collect(self, function: Callable[[T_co], object] = ignore, /) -> Coroutine[Any, Any, None]:
        """Run the flow, giving each value to a function; what that returns is awaited if it can be.

        Law: the function is done with a value before it gets the next. Returns when the flow completes; raises what the flow or
        the function raised.

        >>> await flow_of(1, 2).collect(print)
        1
        2
        """
        return self.source.collect(function)

    async def collect_indexed(self, function: Callable[[int, T_co], object], /) -> None:
        """Run the flow, giving each value's index, from 0, and the value to a function.

        Law: as for `collect`.

        >>> await flow_of("a", "b").collect_indexed(print)
        0 a
        1 b
        """
        await transform.indexed(self.source).collect(lambda pair: function(*pair))

    async def collect_latest(self, action: Callable[[T_co], object], /) -> None:
        """Run an action for each value; a newer value cancels the running action and waits for its end.

        Law: an action that never waits is never cut. The last action runs to its end.

        >>> async def show_later(n):
        ...     await sleep(2)
        ...     print(n)
        >>> await flow_of(1, 2, 3).collect_latest(show_later)
        3
        """
        await flattening.TransformLatest(self.source, lambda _emit, value: action(value), 0).collect(ignore)

    def launch_in(self, scope: Scope, *, name: str | None = None) -> Job[None]:
        """Collect in a job of the scope.

        Law: the collection starts at the job's first turn. Its failure is the scope's. Cancelling the job or the scope ends it.

        >>> async with coroutine_scope() as scope:
        ...     job = flow_of(1, 2).on_each(print).launch_in(scope)
        1
        2
        """
        return launch(self.source, scope, name or "launch_in")

    def produce_in(self, scope: Scope, *, capacity: int = BUFFERED) -> Channel[T_co]:
        """Collect into a new channel, in a job of the scope.

        Law: the channel is closed when the flow completes. The flow's failure closes the channel with it, after what was sent,
        and is the scope's. Cancelling the channel cancels the collection; closing it ends that at its next value. If the job is
        cancelled, receivers get `JobCancelled` after what was sent. A `buffer` right above merges with the capacity, as two
        buffers do.

        Raises:
            ValueError: the capacity is negative and none of the named ones.

        >>> async with coroutine_scope() as scope:
        ...     [value async for value in flow_of(1, 2).produce_in(scope)]
        [1, 2]
        """
        return produce_in(self.source, scope, capacity)

    def __aiter__(self) -> AsyncIterator[T_co]:
        """Iterate the flow.

        Law: a sequential flow runs in the calling task; one with tasks of its own runs as a job of the current scope. Leaving
        the loop early stops the producer at once. A loop that may be left early while the flow has to await something to
        clean up belongs into `open`, and so does one over a flow that yields inside a timeout or a task group of its own.

        Raises:
            FlowsockError: the flow needs a scope and there is none.

        >>> [value async for value in flow_of(1, 2)]
        [1, 2]
        """
        return iterate(self.source)

    def open(self) -> Opened[T_co]:
        """Run the flow in a child task: ``async with flow.open() as items: async for item in items: …``.

        Law: the producer is one value ahead at most. Leaving the block cancels it and waits until it has cleaned up.

        >>> async with interval(1).open() as ticks:
        ...     print(await anext(ticks), await anext(ticks))
        0 1
        """
        return Opened(self.source)

    @overload
    async def first(self, predicate: Callable[[T_co], object] | None = None, /) -> T_co: ...
    @overload
    async def first(self, predicate: Callable[[T_co], object] | None = None, /, *, default: R) -> T_co | R: ...
    async def first(self, predicate: Callable[[T_co], object] | None = None, /, *, default: R | Nothing = NOTHING) -> T_co | R:
        """Give the first value (that passes the predicate), and stop the flow.

        Law: the flow has cleaned up when this returns.

        Raises:
            NoSuchElement: there is none, and no ``default``.

        >>> await flow_of(1, 2, 3).first(lambda n: n > 1)
        2
        """
        return cast("T_co | R", await terminal.first(self.source, predicate, default))

    @overload
    async def single(self) -> T_co: ...
    @overload
    async def single(self, *, default: R) -> T_co | R: ...
    async def single(self, *, default: R | Nothing = NOTHING) -> T_co | R:
        """Give the only value, once the flow completed; a second one stops the flow.

        Law: with a ``default``, that is the result both of an empty flow and of one with several values.

        Raises:
            NoSuchElement: there is none, and no ``default``.
            ValueError: there is more than one, and no ``default``.

        >>> await flow_of(1, 2).single(default=0)
        0
        """
        return cast("T_co | R", await terminal.single(self.source, default))

    @overload
    async def last(self) -> T_co: ...
    @overload
    async def last(self, *, default: R) -> T_co | R: ...
    async def last(self, *, default: R | Nothing = NOTHING) -> T_co | R:
        """Give the last value, once the flow completed.

        Law: the flow runs to its end.

        Raises:
            NoSuchElement: the flow was empty, and there is no ``default``.

        >>> await flow_of(1, 2, 3).last()
        3
        """
        return cast("T_co | R", await terminal.last(self.source, default))

    async def to_list(self, destination: list[Any] | None = None, /) -> list[T_co]:
        """Collect into a list, a new one unless given.

        Law: values keep their order. When the flow fails, a given list keeps what arrived.

        >>> await flow_of(1, 2).to_list()
        [1, 2]
        """
        return await terminal.to_list(self.source, [] if destination is None else destination)

    async def to_set(self) -> set[T_co]:
        """Collect into a set.

        Law: of values that are equal, the first stays.

        >>> await flow_of(1, 2, 1).to_set()
        {1, 2}
        """
        return await terminal.to_set(self.source, set())

    @overload
    async def fold(self, initial: R, function: Callable[[R, T_co], Awaitable[R]], /) -> R: ...
    @overload
    async def fold(self, initial: R, function: Callable[[R, T_co], R], /) -> R: ...
    async def fold(self, initial: R, function: Callable[[R, T_co], Any], /) -> R:
        """Reduce all values to one, starting from ``initial``.

        Law: the function gets the values in order. The initial value is the result of an empty flow.

        >>> await flow_of(1, 2, 3).fold(10, lambda total, n: total + n)
        16
        """
        return cast("R", await terminal.fold(self.source, initial, function))

    @overload
    async def reduce(self: Flow[T], function: Callable[[T, T], Awaitable[T]], /) -> T: ...
    @overload
    async def reduce(self: Flow[T], function: Callable[[T, T], T], /) -> T: ...
    async def reduce(self: Flow[T], function: Callable[[T, T], Any], /) -> T:
        """Reduce all values to one, starting from the first, which the function is not called for.

        Law: the function gets the values in order.

        Raises:
            NoSuchElement: the flow was empty.

        >>> await flow_of(1, 2, 3).reduce(lambda total, n: total + n)
        6
        """
        return cast("T", await terminal.reduce(self.source, function))

    @overload
    async def to_dict(self, function: Callable[[T_co], Awaitable[tuple[K, R]]], /) -> dict[K, R]: ...
    @overload
    async def to_dict(self, function: Callable[[T_co], tuple[K, R]], /) -> dict[K, R]: ...
    async def to_dict(self, function: Callable[[T_co], Any], /) -> dict[Any, Any]:
        """Collect into a dict of the (key, value) pairs that a function makes (Kotlin: ``associate``).

        Law: keys stand in the order in which they came first; the last value of a key wins.

        >>> await flow_of("a", "bb").to_dict(lambda word: (len(word), word))
        {1: 'a', 2: 'bb'}
        """
        return await terminal.to_dict(self.source, function)

    @overload
    async def group_by(self, key: Callable[[T_co], Awaitable[K]], /) -> dict[K, list[T_co]]: ...
    @overload
    async def group_by(self, key: Callable[[T_co], K], /) -> dict[K, list[T_co]]: ...
    async def group_by(self, key: Callable[[T_co], Any], /) -> dict[Any, list[T_co]]:
        """Collect into a dict of lists, by key.

        Law: keys and values keep the order in which they came.

        >>> await flow_of(1, 2, 3).group_by(lambda n: n % 2)
        {1: [1, 3], 0: [2]}
        """
        return await terminal.group_by(self.source, key)

    async def any(self, predicate: Callable[[T_co], object], /) -> bool:
        """Tell whether a value passes the predicate.

        Law: the first that does stops the flow. False if the flow is empty.

        >>> await interval(1).any(lambda n: n > 2)
        True
        """
        return await terminal.find(self.source, predicate) is not NOTHING

    async def all(self, predicate: Callable[[T_co], object], /) -> bool:
        """Tell whether all values pass the predicate.

        Law: the first that does not stops the flow. True if the flow is empty.

        >>> await interval(1).all(lambda n: n < 2)
        False
        """
        return await terminal.find(self.source, predicate, wanted=False) is NOTHING

    async def none(self, predicate: Callable[[T_co], object], /) -> bool:
        """Tell whether no value passes the predicate.

        Law: the first that does stops the flow. True if the flow is empty.

        >>> await flow_of(1, 2).none(lambda n: n > 2)
        True
        """
        return await terminal.find(self.source, predicate) is NOTHING

    async def count(self, predicate: Callable[[T_co], object] | None = None, /) -> int:
        """Count the values (that pass the predicate).

        Law: the flow runs to its end.

        >>> await flow_of(1, 2, 3).count(lambda n: n > 1)
        2
        """
        return await terminal.count(self.source, predicate)

    # Each value

    @overload
    def map(self, function: Callable[[T_co], Awaitable[R]], /) -> Flow[R]: ...
    @overload
    def map(self, function: Callable[[T_co], R], /) -> Flow[R]: ...
    def map(self, function: Callable[[T_co], Any], /) -> Flow[Any]:
        """Turn each value into another.

        Law: one call at a time, in order; what a call raises ends the flow.

        >>> await flow_of(1, 2).map(str).to_list()
        ['1', '2']

            -1--2--3--|
            map(lambda n: n * 10)
            -10-20-30-|
        """
        return Flow(transform.mapped(self.source, function))

    @overload
    def map_not_none(self, function: Callable[[T_co], Awaitable[R | None]], /) -> Flow[R]: ...
    @overload
    def map_not_none(self, function: Callable[[T_co], R | None], /) -> Flow[R]: ...
    def map_not_none(self, function: Callable[[T_co], Any], /) -> Flow[Any]:
        """Turn each value into another, and drop those that become ``None``.

        Law: as for `map`.

        >>> await flow_of("one", "two").map_not_none({"one": 1}.get).to_list()
        [1]

            -1--2--3--|
            map_not_none({1: 10, 3: 30}.get)
            -10----30-|
        """
        return Flow(transform.not_none(transform.mapped(self.source, function)))

    def filter(self, predicate: Callable[[T_co], object], /) -> Flow[T_co]:
        """Keep the values for which the predicate is true.

        Law: one call at a time, in order; what a call raises ends the flow.

        >>> await flow_of(1, 2, 3).filter(lambda n: n != 2).to_list()
        [1, 3]

            -1--2--3--|
            filter(lambda n: n != 2)
            -1-----3--|
        """
        return Flow(transform.filtered(self.source, predicate))

    def filter_not(self, predicate: Callable[[T_co], object], /) -> Flow[T_co]:
        """Keep the values for which the predicate is false.

        Law: as for `filter`.

        >>> await flow_of("a", "", "b").filter_not(lambda text: text == "").to_list()
        ['a', 'b']

            -1--2--3--|
            filter_not(lambda n: n == 2)
            -1-----3--|
        """
        return Flow(transform.filtered(self.source, predicate, keep=False))

    def filter_is(self, kind: type[R], /) -> Flow[R]:
        """Keep the instances of a class (Kotlin: ``filterIsInstance``).

        Law: order is kept.

        >>> await flow_of(1, "a", 2).filter_is(int).to_list()
        [1, 2]

            -1--a--2--|
            filter_is(int)
            -1-----2--|
        """
        return Flow(transform.filtered(self.source, lambda value: isinstance(value, kind)))

    def filter_not_none(self: Flow[R | None]) -> Flow[R]:
        """Keep the values that are not ``None``.

        Law: order is kept.

        >>> await flow_of(1, None, 2).filter_not_none().to_list()
        [1, 2]

            -1--None--2--|
            filter_not_none()
            -1--------2--|
        """
        return Flow(transform.not_none(self.source))

    def transform(self, function: Callable[[Emitter[R], T_co], object], /) -> Flow[R]:
        """Emit any number of values for each: ``function(emit, value)``.

        Law: the next value is asked for when the function has ended; what it raises ends the flow.

        >>> await flow_of("a", "b").transform(lambda emit, text: emit.all(flow_of(text, text.upper()))).to_list()
        ['a', 'A', 'b', 'B']

            -a----b----|
            transform(lambda emit, text: emit.all(flow_of(text, text.upper())))
            -(aA)-(bB)-|
        """
        return Flow(transform.transformed(self.source, function))

    def on_each(self, action: Callable[[T_co], object], /) -> Flow[T_co]:
        """Run an action on each value before it goes on.

        Law: the value goes on when the action has ended, and not at all if that raises.

        >>> await flow_of(1, 2).on_each(print).count()
        1
        2
        2

            -1-----2-----|
            on_each(lambda n: sleep(2))
            ---1-----2---|
        """
        return Flow(transform.inspected(self.source, action))

    def with_index(self) -> Flow[tuple[int, T_co]]:
        """Pair each value with its index, from 0.

        Law: each collection counts for itself.

        >>> await flow_of("a", "b").with_index().to_list()
        [(0, 'a'), (1, 'b')]

            -a-----b-----|
            with_index()
            -(0,a)-(1,b)-|
        """
        return Flow(transform.indexed(self.source))

    @overload
    def scan(self, initial: R, function: Callable[[R, T_co], Awaitable[R]], /) -> Flow[R]: ...
    @overload
    def scan(self, initial: R, function: Callable[[R, T_co], R], /) -> Flow[R]: ...
    def scan(self, initial: R, function: Callable[[R, T_co], Any], /) -> Flow[R]:
        """Emit the initial value and then the running result after each value.

        Law: n values give n + 1. The initial value comes at once, before the flow starts.

        >>> await flow_of(1, 2, 3).scan(0, lambda total, n: total + n).to_list()
        [0, 1, 3, 6]

            --1--2--3--|
            scan(0, lambda total, n: total + n)
            0-1--3--6--|
        """
        return Flow(transform.Scan(self.source, initial, function))

    @overload
    def running_reduce(self: Flow[T], function: Callable[[T, T], Awaitable[T]], /) -> Flow[T]: ...
    @overload
    def running_reduce(self: Flow[T], function: Callable[[T, T], T], /) -> Flow[T]: ...
    def running_reduce(self: Flow[T], function: Callable[[T, T], Any], /) -> Flow[T]:
        """Emit the first value and then the running result after each other value.

        Law: n values give n.

        >>> await flow_of(1, 2, 3).running_reduce(lambda total, n: total + n).to_list()
        [1, 3, 6]

            -1--2--3--|
            running_reduce(lambda total, n: total + n)
            -1--3--6--|
        """
        return Flow(transform.accumulated(self.source, NOTHING, function))

    def pairwise(self) -> Flow[tuple[T_co, T_co]]:
        """Pair each value, from the second on, with the one before it.

        Law: n values give n - 1.

        >>> await flow_of(1, 2, 3).pairwise().to_list()
        [(1, 2), (2, 3)]

            -1-----2-----3-----|
            pairwise()
            -------(1,2)-(2,3)-|
        """
        return Flow(transform.paired(self.source))

    def chunked(self, size: int, /, *, within: float | None = None) -> Flow[list[T_co]]:
        """Gather values into lists of ``size``.

        Law: no list is empty. On completion the last one may be shorter; on failure what was gathered is dropped.

        Args:
            size: How many values a list has.
            within: Seconds after a list's first value at which it is emitted even if it is not full.

        Raises:
            ValueError: the size is below 1, or the time is not above 0.

        >>> await flow_of(1, 2, 3).chunked(2).to_list()
        [[1, 2], [3]]

            -1--2--3--4-----|
            chunked(2)
            ----[1,2]-[3,4]-|

            -1--2-----3--|
            chunked(9, within=5)
            ------[1,2]--([3]|)
        """
        return Flow(transform.Chunked(self.source, size) if within is None else timing.TimedChunks(self.source, size, within))

    def start_with(self, *values: R) -> Flow[R | T_co]:
        """Emit the given values before the flow starts.

        Law: the flow starts when they have been handled.

        >>> await flow_of(1, 2).start_with(0).to_list()
        [0, 1, 2]

            --1--2--|
            start_with(0)
            0-1--2--|
        """
        return Flow(transform.StartWith(self.source, values))

    def pipe(self, function: Callable[[Flow[T_co]], R], /) -> R:
        """Apply a function to this flow: operators of your own in a chain of methods.

        Law: the same as calling the function with this flow.

        >>> def doubled(flow):
        ...     return flow.map(lambda n: n * 2)
        >>> await flow_of(1, 2).pipe(doubled).to_list()
        [2, 4]

            -1--2--|
            pipe(doubled)
            -2--4--|
        """
        return function(self)

    def distinct_until_changed(self, same: Callable[[Any, Any], object] = same_value, /) -> Flow[T_co]:
        """Drop a value that is the same as the one emitted before it; by identity or equality unless told otherwise.

        Law: the first value is always emitted. A comparison that gives anything but a true ``True`` counts as a change.

        >>> await flow_of(1, 1, 2, 1).distinct_until_changed().to_list()
        [1, 2, 1]

            -1--1--2--1--|
            distinct_until_changed()
            -1-----2--1--|
        """
        return self._over(transform.distinct(self.source, same=same))

    def distinct_until_changed_by(self, key: Callable[[T_co], object], /) -> Flow[T_co]:
        """Drop a value whose key is the same as that of the one emitted before it.

        Law: as for `distinct_until_changed`; the key function is called once for each value.

        >>> await flow_of("a", "A", "b").distinct_until_changed_by(str.lower).to_list()
        ['a', 'b']

            -1--3--2--1--|
            distinct_until_changed_by(lambda n: n % 2)
            -1-----2--1--|
        """
        return self._over(transform.distinct(self.source, key))

    # A part of the values

    def take(self, count: int, /) -> Flow[T_co]:
        """Stop after so many values.

        Law: the last one is delivered first; the upstream's code after emitting it does not run.

        Raises:
            ValueError: the count is below 1.

        >>> await flow_of(1, 2, 3).take(2).to_list()
        [1, 2]

            -1--2--3--|
            take(2)
            -1--(2|)
        """
        return Flow(limit.Take(self.source, count))

    def take_while(self, predicate: Callable[[T_co], object], /) -> Flow[T_co]:
        """Stop at the first value that fails the predicate, without emitting it.

        Law: the upstream's code after emitting that value does not run.

        >>> await flow_of(1, 2, 3, 1).take_while(lambda n: n < 3).to_list()
        [1, 2]

            -1--2--3--|
            take_while(lambda n: n < 3)
            -1--2--|
        """
        return Flow(limit.TakeWhile(self.source, predicate))

    def transform_while(self, function: Callable[[Emitter[R], T_co], object], /) -> Flow[R]:
        """Emit any number of values for each, and stop after the first for which ``function(emit, value)`` returns false.

        Law: what the function emitted for that value is delivered; the upstream's code after emitting it does not run.

        >>> async def up_to_two(emit, n):
        ...     await emit(n)
        ...     return n < 2
        >>> await flow_of(1, 2, 3).transform_while(up_to_two).to_list()
        [1, 2]

            -1--2--3--|
            transform_while(up_to_two)
            -1--(2|)
        """
        return Flow(limit.TransformWhile(self.source, function))

    def drop(self, count: int, /) -> Flow[T_co]:
        """Skip the first values.

        Law: they are asked for as fast as the upstream has them. If there are no more, the flow is empty.

        Raises:
            ValueError: the count is negative.

        >>> await flow_of(1, 2, 3).drop(2).to_list()
        [3]

            -1--2--3--|
            drop(2)
            -------3--|
        """
        return self._over(limit.dropped(self.source, count))

    def drop_while(self, predicate: Callable[[T_co], object], /) -> Flow[T_co]:
        """Skip values up to the first that fails the predicate.

        Law: that one is emitted; the predicate is not called again.

        >>> await flow_of(1, 2, 3, 1).drop_while(lambda n: n < 3).to_list()
        [3, 1]

            -1--3--1--|
            drop_while(lambda n: n < 3)
            ----3--1--|
        """
        return Flow(limit.dropped_while(self.source, predicate))

    # Buffers and time

    def buffer(self, capacity: int = BUFFERED, *, on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND) -> Flow[T_co]:
        """Let the producer run ahead of the collector by up to ``capacity`` values.

        Law: order is kept. Over a cold flow the producer runs in a child task, is cancelled when the collector ends, and its
        failure ends the collector at once. Over a shared flow the buffer is the subscription's own: with a dropping policy a
        slow collector never slows the others. Adjacent buffers merge: sizes add up, and a dropping policy replaces what is
        above it.

        Args:
            capacity: A number of values, or `RENDEZVOUS`, `BUFFERED` (64, or 1 with a dropping policy), `UNLIMITED`.
            on_buffer_overflow: What happens to a value that does not fit.

        Raises:
            ValueError: the capacity is negative and none of the named ones.

        >>> await flow_of(1, 2, 3).buffer(2).to_list()
        [1, 2, 3]

            (1 2 3|)
            on_each(lambda n: sleep(3)).buffer(1).on_each(lambda n: sleep(3))
            ------1--2--(3|)
        """
        return Flow(buffering.buffered(self.source, capacity, on_buffer_overflow))

    def conflate(self) -> Flow[T_co]:
        """Let a slow collector skip to the newest value.

        Law: the producer never waits. The last value is always delivered. Otherwise as `buffer`.

        >>> await flow_of(1, 2, 3).conflate().last()
        3

            -1-2-3----|
            conflate().on_each(lambda n: sleep(5))
            ------1----(3|)
        """
        return Flow(buffering.buffered(self.source, CONFLATED, BufferOverflow.SUSPEND))

    def cancellable(self) -> Flow[T_co]:
        """See a cancellation before each value; a source that never has to wait sees it only at every 128th otherwise.

        Law: nothing that the collecting task does after its own cancellation lets another value through.

        >>> async with coroutine_scope() as scope:
        ...     await as_flow(range(100)).cancellable().on_each(print).collect(lambda n: scope.cancel())
        0

            -1--2--|
            cancellable()
            -1--2--|
        """
        return self._over(limit.cancellable(self.source))

    def debounce(self, timeout: float | Callable[[T_co], float], /) -> Flow[T_co]:
        """Emit a value once no newer one came for ``timeout`` seconds; the function form decides per value.

        Law: the last value is emitted when the flow completes, and dropped when it fails. While the collector is busy, the
        upstream waits.

        Raises:
            ValueError: the timeout is negative.

        >>> await flow_of(1, 2, 3).debounce(1).to_list()
        [3]

            -a--bc---d|
            debounce(2)
            ---a---c--(d|)
        """
        return self if timeout == 0 else Flow(timing.Debounce(self.source, timeout))

    def sample(self, period: float, /) -> Flow[T_co]:
        """Emit the newest value every ``period`` seconds, if there is one that was not emitted yet.

        Law: the first tick comes one period after the start. A value that comes at the very instant of a tick belongs to the
        next one. The upstream never waits. On completion the value not yet emitted is dropped.

        Raises:
            ValueError: the period is not above 0.

        >>> await interval(1).sample(2.5).first()
        1

            -a--bc----d|
            sample(3)
            ---a--c----|
        """
        return Flow(timing.Sample(self.source, period))

    def timeout(self, seconds: float, /) -> Flow[T_co]:
        """Fail when what is above takes longer than this before its first value, or from one to the next.

        Law: the time that the collector takes for a value does not count. What is above is cancelled first; if its cleanup
        raises something else, that is what comes out. The collection of a flow with a timeout of 0 or less fails at once.

        Raises:
            TimeoutError: on collection, when the time is over.

        >>> await interval(5).timeout(3).catch(lambda emit, error: emit("too late"), TimeoutError).first()
        'too late'

            -1--2-----3-|
            timeout(4)
            -1--2---#
        """
        return Flow(timing.Timeout(self.source, seconds))

    def throttle_first(self, seconds: float, /) -> Flow[T_co]:
        """Emit a value at once, and drop those that follow it within this time.

        Law: the time counts from when the value came. The value that comes after it is emitted at once again.

        Raises:
            ValueError: the time is not above 0.

        >>> await flow_of(1, 2, 3).throttle_first(1).to_list()
        [1]

            -a-b--c-d--|
            throttle_first(4)
            -a----c----|
        """
        return Flow(timing.throttled(self.source, seconds))

    def rate_limit(self, count: int, /, *, per: float) -> Flow[T_co]:
        """Emit no more than ``count`` values in any ``per`` seconds.

        Law: the producer waits; nothing is dropped.

        Raises:
            ValueError: the count is below 1, or the time is not above 0.

        >>> await flow_of(1, 2, 3).rate_limit(2, per=1).to_list()
        [1, 2, 3]

            (1 2 3|)
            rate_limit(1, per=3)
            1--2--(3|)
        """
        return Flow(timing.rate_limited(self.source, count, per))

    # Several flows

    @overload
    def zip_with(self, other: Flow[T], /) -> Flow[tuple[T_co, T]]: ...
    @overload
    def zip_with(self, other: Flow[T], function: Callable[[T_co, T], Awaitable[R]], /) -> Flow[R]: ...
    @overload
    def zip_with(self, other: Flow[T], function: Callable[[T_co, T], R], /) -> Flow[R]: ...
    def zip_with(self, other: Flow[Any], function: Callable[[Any, Any], Any] = _pair, /) -> Flow[Any]:
        """Pair each value with the other flow's, or call a function with the two (Kotlin: ``zip``).

        Law: ends when either flow ends, and cancels the other. The other flow runs in a child task, one value ahead at most.
        A failure of either cancels the other.

        >>> await flow_of(1, 2, 3).zip_with(flow_of("a", "b")).to_list()
        [(1, 'a'), (2, 'b')]

            -1-----2---------|
            ---x-------y-------z-|
            zip_with(b)
            ---(1,x)---(2,y)-|
        """
        return Flow(combining.Zip(self.source, other.source, function))

    # Flows of flows

    def flat_map_concat(self, function: Callable[[T_co], Flow[R] | Awaitable[Flow[R]]], /) -> Flow[R]:
        """Turn each value into a flow and run these one after the other.

        Law: they run in the same task; the next value is asked for when a flow has completed.

        >>> await flow_of(1, 2).flat_map_concat(lambda n: flow_of(n, n * 10)).to_list()
        [1, 10, 2, 20]

            -1--2--------|
            -x-y|
            flat_map_concat(lambda n: b)
            --x-y-x-y----|
        """
        return Flow(flattening.FlatMapConcat(self.source, function))

    def flat_map_merge(
        self,
        function: Callable[[T_co], Flow[R] | Awaitable[Flow[R]]],
        /,
        *,
        concurrency: int = flattening.DEFAULT_CONCURRENCY,
    ) -> Flow[R]:
        """Turn each value into a flow and run up to ``concurrency`` of them at once.

        Law: values are emitted as they come, and keep the order within their flow. The upstream waits for a free place; up to
        64 values wait for a slow collector, unless a `buffer` right below says otherwise. The first failure cancels all others;
        a `Cancellation` ends its own flow only. Completes when all completed. A concurrency of 1 changes none of this, so the
        flows run one after the other, yet ahead of the collector (Kotlin's becomes ``flatMapConcat``: use `flat_map_concat`).

        Raises:
            ValueError: the concurrency is below 1.

        >>> await flow_of(3, 1).flat_map_merge(lambda n: interval(n).map(lambda _: n).take(1)).to_list()
        [1, 3]

            -1--2-------|
            -x---y|
            flat_map_merge(lambda n: b)
            --x--xy--y--|
        """
        return Flow(flattening.FlatMapMerge(self.source, function, concurrency))

    def flat_map_latest(self, function: Callable[[T_co], Flow[R] | Awaitable[Flow[R]]], /) -> Flow[R]:
        """Turn each value into a flow and run the newest only.

        Law: a newer value cancels the running flow and waits for its end. The last one runs to its end.

        >>> await flow_of(1, 2).flat_map_latest(lambda n: interval(1).map(lambda _: n).take(2)).to_list()
        [2, 2]

            -1--2-------|
            -x---y|
            flat_map_latest(lambda n: b)
            --x--x---y--|
        """

        def block(emit: Emit[R], value: Any) -> Awaitable[None]:
            return flattening.collect_inner(function, value, emit)

        return Flow(flattening.TransformLatest(self.source, block))

    @overload
    def map_latest(self, function: Callable[[T_co], Awaitable[R]], /) -> Flow[R]: ...
    @overload
    def map_latest(self, function: Callable[[T_co], R], /) -> Flow[R]: ...
    def map_latest(self, function: Callable[[T_co], Any], /) -> Flow[Any]:
        """Turn each value into another; a newer value cancels the running function.

        Law: its end is waited for. A function that never waits is never cut, and the last one runs to its end.

        >>> async def slowly(n):
        ...     await sleep(3)
        ...     return n * 10
        >>> await flow_of(1, 2).map_latest(slowly).to_list()
        [20]

            -1-2---3----|
            map_latest(slowly)
            ------20--30|
        """

        async def block(emit: Emit[Any], value: Any) -> None:
            await settle(emit(await settle(function(value))))

        return Flow(flattening.TransformLatest(self.source, block))

    def transform_latest(self, function: Callable[[Emitter[R], T_co], object], /) -> Flow[R]:
        """Emit any number of values for the newest value: ``function(emit, value)``, cancelled by a newer one.

        Law: as for `map_latest`; what was emitted before stays emitted.

        >>> async def twice(emit, text):
        ...     await emit(text)
        ...     await sleep(3)
        ...     await emit(text.upper())
        >>> await flow_of("a", "b").transform_latest(twice).to_list()
        ['a', 'b', 'B']

            -a-b----c----|
            transform_latest(twice)
            -a-b--B-c--C-|
        """
        return Flow(flattening.TransformLatest(self.source, function))

    @overload
    def map_concurrent(self, function: Callable[[T_co], Awaitable[R]], /, *, limit: int, ordered: bool = True) -> Flow[R]: ...
    @overload
    def map_concurrent(self, function: Callable[[T_co], R], /, *, limit: int, ordered: bool = True) -> Flow[R]: ...
    def map_concurrent(self, function: Callable[[T_co], Any], /, *, limit: int, ordered: bool = True) -> Flow[Any]:
        """Turn each value into another, with up to ``limit`` calls of the function at once.

        Law: a result that waits for its turn, or for room, keeps its place among the ``limit``; the upstream waits for a free
        one. Up to 64 results wait for a slow collector; a ``buffer`` below changes that. The first failure cancels the other
        calls.

        Args:
            limit: How many calls may run.
            ordered: Whether results keep the order of the values; otherwise they are emitted as they come.

        Raises:
            ValueError: the limit is below 1.

        >>> async def slowly(text):
        ...     await sleep(5)
        ...     return text.upper()
        >>> await flow_of("a", "b", "c").map_concurrent(slowly, limit=2).to_list()
        ['A', 'B', 'C']

            -a-b-c-------|
            map_concurrent(slowly, limit=2)
            ------A-B--C-|
        """
        return Flow(flattening.MapConcurrent(self.source, function, limit, ordered))

    def flatten_concat(self: Flow[Flow[R]]) -> Flow[R]:
        """Run the flows that are the values one after the other.

        Law: as for `flat_map_concat`.

        >>> await flow_of(flow_of(1, 2), flow_of(3)).flatten_concat().to_list()
        [1, 2, 3]

            -1--2--------|
            -x-y|
            map(lambda n: b).flatten_concat()
            --x-y-x-y----|
        """
        return Flow(flattening.FlatMapConcat(self.source, flattening.itself))

    def flatten_merge(self: Flow[Flow[R]], *, concurrency: int = flattening.DEFAULT_CONCURRENCY) -> Flow[R]:
        """Run up to ``concurrency`` of the flows that are the values at once.

        Law: as for `flat_map_merge`.

        Raises:
            ValueError: the concurrency is below 1.

        >>> await flow_of(interval(2), interval(3)).flatten_merge().take(3).to_list()
        [0, 0, 1]

            -1--2-------|
            -x---y|
            map(lambda n: b).flatten_merge()
            --x--xy--y--|
        """
        return Flow(flattening.FlatMapMerge(self.source, flattening.itself, concurrency))

    # Beginning, end and failure

    def on_start(self, action: Callable[[Emitter[Any]], object], /) -> Flow[T_co]:
        """Run ``action(emit)`` before the flow starts.

        Law: the flow starts when the action has ended. Of several actions the one applied last runs first.

        >>> await flow_of(1, 2).on_start(lambda emit: emit(0)).to_list()
        [0, 1, 2]

            --1--2--|
            on_start(lambda emit: emit(0))
            0-1--2--|
        """
        return Flow(handling.OnStart(self.source, action))

    def on_completion(self, action: Callable[[Emitter[Any], BaseException | None], object], /) -> Flow[T_co]:
        """Run ``action(emit, cause)`` when the flow ended: normally (cause ``None``), by an error, a cancellation or a stop.

        Law: the cause goes on its way afterwards. Emitting is possible after a normal end only; otherwise ``emit``, and
        ``emit.all`` without running its flow, raise the cause.

        >>> await flow_of(1).on_completion(lambda emit, cause: print("ended by", cause)).count()
        ended by None
        1

            -1--2--|
            on_completion(lambda emit, cause: emit(3))
            -1--2--(3|)
        """
        return Flow(handling.OnCompletion(self.source, action))

    def on_empty(self, action: Callable[[Emitter[Any]], object], /) -> Flow[T_co]:
        """Run ``action(emit)`` if the flow completed without a value.

        Law: a flow that failed is not empty.

        >>> await empty_flow().on_empty(lambda emit: emit("nothing")).to_list()
        ['nothing']

            ---|
            on_empty(lambda emit: emit(0))
            ---(0|)
        """
        return Flow(handling.OnEmpty(self.source, action))

    def catch(
        self,
        handler: Callable[[Emitter[Any], Exception], object] = handling.swallow,
        /,
        *kinds: type[Exception],
    ) -> Flow[T_co]:
        """Handle a failure of what is above: ``handler(emit, error)`` may emit or raise, and then the flow completes.

        Law: errors from below, cancellation and early stops pass untouched.

        Args:
            handler: What to do; nothing if left out.
            kinds: The kinds of error to handle; all if left out.

        >>> await flow_of("1", "x").map(int).catch(lambda emit, error: emit(0), ValueError).to_list()
        [1, 0]

            -1--2--#
            catch(lambda emit, error: emit(0))
            -1--2--(0|)
        """
        return Flow(handling.Catch(self.source, handler, kinds or (Exception,)))

    def retry(
        self,
        *kinds: type[Exception],
        attempts: float = inf,
        when: Callable[[Exception], object] = handling.always,
        backoff: Backoff | None = None,
    ) -> Flow[T_co]:
        """Collect what is above again when it fails; what it emitted before stays emitted.

        Law: errors from below, cancellation and early stops pass untouched. With the attempts used up, ``when`` is not asked.

        Args:
            kinds: The kinds of error to retry; all if left out.
            attempts: How many times to collect again.
            when: Whether to retry this error.
            backoff: The waits between attempts; none if left out.

        Raises:
            ValueError: attempts is below 1.

        >>> await flow_of("1", "x").map(int).retry(attempts=1).catch().to_list()
        [1, 1]

            -1--#
            retry(attempts=1)
            -1---1--#
        """
        decision = handling.retry_up_to(attempts, kinds or (Exception,), when, backoff)
        return Flow(handling.Retry(self.source, decision))

    def retry_when(self, predicate: Callable[[Emitter[Any], Exception, int], object], /) -> Flow[T_co]:
        """Collect what is above again as long as ``predicate(emit, error, attempt)`` is true.

        Law: as for `retry`. The attempt counts from 0. The predicate may emit, and wait, before it answers.

        >>> await flow_of("1", "x").map(int).retry_when(lambda emit, error, attempt: attempt < 1).catch().to_list()
        [1, 1]

            -1--#
            retry_when(lambda emit, error, attempt: attempt < 1)
            -1---1--#
        """
        return Flow(handling.Retry(self.source, handling.retry_when(predicate)))

    # Sharing

    def share_in(self, scope: Scope, *, started: SharingStarted | None = None, replay: int = 0) -> SharedFlow[T_co]:
        """Collect this flow once, in a job of the scope, for any number of collectors.

        Law: collectors never see the upstream's end. The upstream's failure is the scope's. Slow collectors have 64 values of
        room (or ``replay``, if that is more) before the upstream waits for them. A `buffer` or `conflate` right above decides
        instead: the shared flow has its room, beside the replay cache, and its policy.

        Args:
            started: When the upstream runs; while there are collectors unless told otherwise.
            replay: How many values a late collector gets first.

        Raises:
            ValueError: replay is negative.

        >>> async with coroutine_scope() as scope:
        ...     await interval(1).share_in(scope).take(2).to_list()
        ...     scope.cancel()
        [0, 1]

            -1--2--3--|
            share_in(scope)
            -1--2--3-----
        """
        upstream, engine = sharing_engine(self.source, replay)
        share(upstream, scope, _decided_by(started), engine, engine.emit, engine.reset_replay_cache)
        return SharedFlow(engine)

    @overload
    def state_in(self, scope: Scope, *, initial: R, started: SharingStarted | None = None) -> StateFlow[T_co | R]: ...
    @overload
    def state_in(self, scope: Scope) -> Coroutine[Any, Any, StateFlow[T_co]]: ...
    def state_in(
        self, scope: Scope, *, initial: object = NOTHING, started: SharingStarted | None = None
    ) -> StateFlow[Any] | Coroutine[Any, Any, StateFlow[Any]]:
        """Collect this flow once, in a job of the scope, into a state that starts as ``initial``.

        ``await flow.state_in(scope)``, without ``initial``, starts at once and waits for the flow's first value to start with.

        Law: as for `share_in`; collectors see the newest value, and may skip others. A failure before the first value is both
        the scope's and the waiting caller's; a caller that is cancelled while it waits ends the collection.

        Raises:
            NoSuchElement: the flow that was waited for had no value; the scope is unharmed.
            JobCancelled: the scope was cancelled before the first value.

        >>> async with coroutine_scope() as scope:
        ...     await interval(1).state_in(scope, initial="none yet").take(2).to_list()
        ...     scope.cancel()
        ['none yet', 0]

            --1--2--|
            state_in(scope, initial=0)
            0-1--2-----
        """
        if initial is NOTHING:
            if started is not None:
                raise ValueError("state_in starts at once when it has no initial value: leave started out, or give initial")
            return self._state_in(scope)
        engine: Conflation[Any] = Conflation(initial, same_value)
        share(unbuffered(self.source), scope, _decided_by(started), engine, engine.set, lambda: engine.set(initial))
        return StateFlow(engine)

    async def _state_in(self, scope: Scope) -> StateFlow[T_co]:
        return StateFlow(await first_state(self.source, scope))

    def to_observable(self) -> AsyncObservable[T_co]:
        """Make an aioreactive observable of this flow, on asyncio.

        Law: each subscription collects the flow in a task of its own, which belongs to the subscription. Disposing of that one
        cancels the collection and waits until it has cleaned up.

        >>> await as_flow(flow_of(1, 2).to_observable()).to_list()
        [1, 2]
        """
        from flowsock.interop.aioreactive import to_observable

        return to_observable(self)


class SharedFlow(Flow[T_co]):
    """A hot flow that gives each value to all its collectors (Kotlin: ``SharedFlow``); it never completes.

    Laws:

    - *Order.* All collectors see the values in emission order; two never see two values in different orders.
    - *Isolation.* A collector that fails ends alone: neither the emitter nor the others notice.
    - *Late collectors* get the replay cache first, then live values, without gap or duplicate.
    - *Direct dispatch.* While a collector is idle, its synchronous stages run in the emitter's task; as soon as one of them has
      to wait, that wait is the collector's own.
    - *Slow collectors.* Values wait for the slowest one in the flow's buffer, under the flow's policy. A collector with a
      ``buffer`` or ``conflate`` of its own, with a dropping policy, is never waited for.

    >>> shared = MutableSharedFlow(replay=1)
    >>> shared.emit_nowait("hello")
    >>> await shared.as_shared_flow().first()
    'hello'
    """

    __slots__ = ("_dispatcher",)

    def __init__(self, engine: Dispatcher[T_co], source: Source[T_co] | None = None) -> None:
        super().__init__(engine if source is None else source)
        self._dispatcher = engine

    @property
    def replay_cache(self) -> list[T_co]:
        """Copy what a late collector would get first, oldest first.

        Law: the copy does not change with the flow.

        >>> shared = MutableSharedFlow(replay=2)
        >>> await flow_of(1, 2, 3).collect(shared.emit)
        >>> shared.replay_cache
        [2, 3]
        """
        return self._dispatcher.replay_cache

    @property
    def subscription_count(self) -> StateFlow[int]:
        """Tell how many collectors there are, now and as they come and go.

        Law: no change is conflated away.

        >>> MutableSharedFlow().subscription_count.value
        0

            -1--2---
            subscription_count
            0-------
        """
        return StateFlow(subscription_count(self._dispatcher))

    def statistics(self) -> SharedFlowStatistics:
        """Count what was emitted, the collectors, and how far the slowest is behind.

        Law: nothing is counted for its sake: it costs nothing but the call.

        >>> shared = MutableSharedFlow()
        >>> await flow_of(1, 2, 3).collect(shared.emit)
        >>> shared.statistics()
        SharedFlowStatistics(emitted=3, collectors=0, lag=0, suspended=0, dropped=0)
        """
        return self._dispatcher.statistics()

    def buffer(self, capacity: int = BUFFERED, *, on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND) -> Flow[T_co]:
        """Give each collector a queue of its own, see `Flow.buffer`; return this flow where that would have no room.

        Law: with a dropping policy the collector is never waited for, by the emitter or by others.

        >>> shared = MutableSharedFlow()
        >>> shared.buffer(0) is shared
        True

            -1-2-3-4-----
            buffer(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(lambda n: sleep(7))
            --------1----
        """
        if capacity == RENDEZVOUS and on_buffer_overflow is BufferOverflow.SUSPEND:
            return self
        return super().buffer(capacity, on_buffer_overflow=on_buffer_overflow)

    def cancellable(self) -> SharedFlow[T_co]:
        """Return this flow: nothing reaches a collector after its cancellation.

        Law: this holds for every shared flow.

        >>> shared = MutableSharedFlow()
        >>> shared.cancellable() is shared
        True

            -1--2---
            cancellable()
            -1--2---
        """
        return self

    def on_subscription(self, action: Callable[[Emitter[Any]], object], /) -> SharedFlow[T_co]:
        """Run ``action(emit)`` for each collector once it is registered, before it gets any value.

        Law: what is emitted to this flow while the action runs is not missed. The action's ``emit`` reaches this collector
        only. Of several actions, the one applied first runs first.

        >>> await MutableSharedFlow().on_subscription(lambda emit: emit("hello")).first()
        'hello'

            --1--2--
            on_subscription(lambda emit: emit(0))
            0-1--2--
        """
        return SharedFlow(self._dispatcher, handling.subscribed_with(self.source, action))

    def resume_after(
        self, is_last: Callable[[T_co], bool], /, *, on_gap: Callable[[Emitter[Any]], object] | None = None
    ) -> Flow[T_co]:
        """Give what comes after the last value that a collector saw, if the replay cache reaches back so far.

        Law: of the replay cache, values up to the newest one that fits are left out, and nothing after it is lost or comes
        twice. If none fits, nobody knows what was missed: ``on_gap(emit)`` runs first, and then comes the whole cache.

        Args:
            is_last: Tells whether a value is the last that was seen.
            on_gap: May emit something that says so.

        >>> shared = MutableSharedFlow(replay=3)
        >>> await flow_of(1, 2, 3).collect(shared.emit)
        >>> await shared.resume_after(lambda n: n == 2).first()
        3
        >>> await shared.resume_after(lambda n: n == 9, on_gap=lambda emit: emit("gap")).take(2).to_list()
        ['gap', 1]

            -1--2---
            resume_after(lambda n: n == 1)
            -1--2---
        """
        return Flow(resuming.Resumed(self.source, self._dispatcher, is_last, on_gap))


class StateFlow(SharedFlow[T_co]):
    """A hot flow that has a value (Kotlin: ``StateFlow``); collectors get it at once, and then its changes.

    Law: a collector that is busy skips to the newest value. Setting a value that is the same changes nothing. It never
    completes.

    >>> state = MutableStateFlow(0)
    >>> await state.as_state_flow().first()
    0
    """

    __slots__ = ("_state",)

    def __init__(self, engine: StateEngine[T_co]) -> None:
        super().__init__(engine)
        self._state = engine

    @property
    def value(self) -> T_co:
        """Give the current value.

        Law: a value that was set is there at once.

        >>> MutableStateFlow(1).as_state_flow().value
        1
        """
        return self._state.value

    def conflate(self) -> Flow[T_co]:
        """Return this flow: it is conflated as it is. (`subscription_count`, which is not, is conflated.)

        Law: as for every state, a busy collector skips to the newest value.

        >>> state = MutableStateFlow(0)
        >>> state.conflate() is state
        True

            0-1--2---
            conflate()
            0-1--2---
        """
        return self if self._state.conflated else super().conflate()

    def buffer(self, capacity: int = BUFFERED, *, on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND) -> Flow[T_co]:
        """Give each collector a queue of its own, see `Flow.buffer`; return this flow where that only conflates.

        Law: a collector with room for more than one value skips none while there is room.

        >>> state = MutableStateFlow(0)
        >>> state.buffer(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST) is state
        True

            0-1-2--------
            buffer(9).on_each(lambda n: sleep(3))
            ---0--1--2---
        """
        if (capacity, on_buffer_overflow) in _CONFLATING and self._state.conflated:
            return self
        return super().buffer(capacity, on_buffer_overflow=on_buffer_overflow)

    def distinct_until_changed(self, same: Callable[[Any, Any], object] = same_value, /) -> Flow[T_co]:
        """Return this flow, which is distinct as it is, unless it or this call compares in a way of its own.

        Law: as for `Flow.distinct_until_changed`.

        >>> state = MutableStateFlow(0)
        >>> state.distinct_until_changed() is state
        True

            0-1--1--2---
            distinct_until_changed()
            0-1-----2---
        """
        return self if same is same_value and self._state.distinct else super().distinct_until_changed(same)
