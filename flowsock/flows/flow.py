"""`Flow`, the façade over sources and operators, and its read-only hot faces `SharedFlow` and `StateFlow`."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from flowsock.channels.channel import BUFFERED, CONFLATED, NOTHING, RENDEZVOUS, BufferOverflow, Nothing
from flowsock.emitting import ignore, settle
from flowsock.flows.conflation import Conflation, same_value
from flowsock.flows.counting import subscription_count
from flowsock.flows.iteration import Opened, iterate
from flowsock.flows.operators import buffering, combining, flattening, handling, limit, terminal, timing, transform
from flowsock.flows.producing import produce_in
from flowsock.flows.sharing import first_state, share, sharing_engine, unbuffered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from aioreactive import AsyncObservable

    from flowsock.channels.channel import Channel
    from flowsock.emitting import Emit, Emitter
    from flowsock.flows.dispatcher import Dispatcher, StateEngine
    from flowsock.flows.sharing import SharingStarted
    from flowsock.flows.source import Source
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
    """

    __slots__ = ("source",)

    def __init__(self, source: Source[T_co]) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {type(self.source).__name__}>"

    # Collecting

    def collect(self, function: Callable[[T_co], object] = ignore, /) -> Coroutine[Any, Any, None]:
        """Run the flow, giving each value to a function; what that returns is awaited if it can be.

        Law: returns when the flow completes, and raises what the flow or the function raised.
        """
        return self.source.collect(function)

    async def collect_indexed(self, function: Callable[[int, T_co], object], /) -> None:
        """Run the flow, giving each value's index, from 0, and the value to a function."""
        await transform.indexed(self.source).collect(lambda pair: function(*pair))

    async def collect_latest(self, action: Callable[[T_co], object], /) -> None:
        """Run an action for each value; a newer value cancels the running action and waits for its end.

        Law: an action that never waits is never cut. The last action runs to its end.
        """
        await flattening.TransformLatest(self.source, lambda _emit, value: action(value), 0).collect(ignore)

    def launch_in(self, scope: Scope, *, name: str | None = None) -> Job[None]:
        """Collect in a job of the scope; its failure is the scope's. The collection starts at the job's first turn."""
        return scope.launch(self.source.collect, ignore, name=name or "launch_in")

    def produce_in(self, scope: Scope, *, capacity: int = BUFFERED) -> Channel[T_co]:
        """Collect into a new channel, in a job of the scope.

        Law: the channel is closed when the flow completes. The flow's failure closes the channel with it, after what was sent,
        and is the scope's. Cancelling the channel cancels the collection; closing it ends that at its next value.

        Raises:
            ValueError: the capacity is negative and none of the named ones.
        """
        return produce_in(self.source, scope, capacity)

    def __aiter__(self) -> AsyncIterator[T_co]:
        """Iterate the flow.

        Law: a sequential flow runs in the calling task; one with tasks of its own runs as a job of the current scope. Leaving
        the loop early stops the producer at once. A loop that may be left early while the flow has to await something to
        clean up belongs into `open`, and so does one over a flow that yields inside a timeout or a task group of its own.

        Raises:
            FlowsockError: the flow needs a scope and there is none.
        """
        return iterate(self.source)

    def open(self) -> Opened[T_co]:
        """Run the flow in a child task: ``async with flow.open() as items: async for item in items: …``.

        Law: the producer is one value ahead at most. Leaving the block cancels it and waits until it has cleaned up.
        """
        return Opened(self.source)

    @overload
    async def first(self, predicate: Callable[[T_co], object] | None = None, /) -> T_co: ...
    @overload
    async def first(self, predicate: Callable[[T_co], object] | None = None, /, *, default: R) -> T_co | R: ...
    async def first(self, predicate: Callable[[T_co], object] | None = None, /, *, default: R | Nothing = NOTHING) -> T_co | R:
        """Give the first value (that passes the predicate), and stop the flow.

        Raises:
            NoSuchElement: there is none, and no ``default``.
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
        """
        return cast("T_co | R", await terminal.single(self.source, default))

    @overload
    async def last(self) -> T_co: ...
    @overload
    async def last(self, *, default: R) -> T_co | R: ...
    async def last(self, *, default: R | Nothing = NOTHING) -> T_co | R:
        """Give the last value, once the flow completed.

        Raises:
            NoSuchElement: the flow was empty, and there is no ``default``.
        """
        return cast("T_co | R", await terminal.last(self.source, default))

    async def to_list(self, destination: list[Any] | None = None, /) -> list[T_co]:
        """Collect into a list, a new one unless given; on failure a given list keeps what arrived."""
        return await terminal.to_list(self.source, [] if destination is None else destination)

    async def to_set(self) -> set[T_co]:
        """Collect into a set."""
        return await terminal.to_set(self.source, set())

    @overload
    async def fold(self, initial: R, function: Callable[[R, T_co], Awaitable[R]], /) -> R: ...
    @overload
    async def fold(self, initial: R, function: Callable[[R, T_co], R], /) -> R: ...
    async def fold(self, initial: R, function: Callable[[R, T_co], Any], /) -> R:
        """Reduce all values to one, starting from ``initial``."""
        return cast("R", await terminal.fold(self.source, initial, function))

    @overload
    async def reduce(self: Flow[T], function: Callable[[T, T], Awaitable[T]], /) -> T: ...
    @overload
    async def reduce(self: Flow[T], function: Callable[[T, T], T], /) -> T: ...
    async def reduce(self: Flow[T], function: Callable[[T, T], Any], /) -> T:
        """Reduce all values to one, starting from the first, which the function is not called for.

        Raises:
            NoSuchElement: the flow was empty.
        """
        return cast("T", await terminal.reduce(self.source, function))

    @overload
    async def to_dict(self, function: Callable[[T_co], Awaitable[tuple[K, R]]], /) -> dict[K, R]: ...
    @overload
    async def to_dict(self, function: Callable[[T_co], tuple[K, R]], /) -> dict[K, R]: ...
    async def to_dict(self, function: Callable[[T_co], Any], /) -> dict[Any, Any]:
        """Collect into a dict of the (key, value) pairs the function makes (Kotlin: ``associate``); the last of a key wins."""
        return await terminal.to_dict(self.source, function)

    @overload
    async def group_by(self, key: Callable[[T_co], Awaitable[K]], /) -> dict[K, list[T_co]]: ...
    @overload
    async def group_by(self, key: Callable[[T_co], K], /) -> dict[K, list[T_co]]: ...
    async def group_by(self, key: Callable[[T_co], Any], /) -> dict[Any, list[T_co]]:
        """Collect into a dict of lists, by key; keys and values keep the order in which they came."""
        return await terminal.group_by(self.source, key)

    async def any(self, predicate: Callable[[T_co], object], /) -> bool:
        """Tell whether a value passes the predicate, and stop the flow at the first that does; false if it is empty."""
        return await terminal.find(self.source, predicate) is not NOTHING

    async def all(self, predicate: Callable[[T_co], object], /) -> bool:
        """Tell whether all values pass the predicate, and stop the flow at the first that does not; true if it is empty."""
        return await terminal.find(self.source, predicate, wanted=False) is NOTHING

    async def none(self, predicate: Callable[[T_co], object], /) -> bool:
        """Tell whether no value passes the predicate, and stop the flow at the first that does; true if it is empty."""
        return await terminal.find(self.source, predicate) is NOTHING

    async def count(self, predicate: Callable[[T_co], object] | None = None, /) -> int:
        """Count the values (that pass the predicate)."""
        return await terminal.count(self.source, predicate)

    # Each value

    @overload
    def map(self, function: Callable[[T_co], Awaitable[R]], /) -> Flow[R]: ...
    @overload
    def map(self, function: Callable[[T_co], R], /) -> Flow[R]: ...
    def map(self, function: Callable[[T_co], Any], /) -> Flow[Any]:
        """Turn each value into another."""
        return Flow(transform.mapped(self.source, function))

    @overload
    def map_not_none(self, function: Callable[[T_co], Awaitable[R | None]], /) -> Flow[R]: ...
    @overload
    def map_not_none(self, function: Callable[[T_co], R | None], /) -> Flow[R]: ...
    def map_not_none(self, function: Callable[[T_co], Any], /) -> Flow[Any]:
        """Turn each value into another, and drop those that become ``None``."""
        return Flow(transform.not_none(transform.mapped(self.source, function)))

    def filter(self, predicate: Callable[[T_co], object], /) -> Flow[T_co]:
        """Keep the values for which the predicate is true."""
        return Flow(transform.filtered(self.source, predicate))

    def filter_not(self, predicate: Callable[[T_co], object], /) -> Flow[T_co]:
        """Keep the values for which the predicate is false."""
        return Flow(transform.filtered(self.source, predicate, keep=False))

    def filter_is(self, kind: type[R], /) -> Flow[R]:
        """Keep the instances of a class (Kotlin: ``filterIsInstance``)."""
        return Flow(transform.filtered(self.source, lambda value: isinstance(value, kind)))

    def filter_not_none(self: Flow[R | None]) -> Flow[R]:
        """Keep the values that are not ``None``."""
        return Flow(transform.not_none(self.source))

    def transform(self, function: Callable[[Emitter[R], T_co], object], /) -> Flow[R]:
        """Emit any number of values for each: ``function(emit, value)``."""
        return Flow(transform.transformed(self.source, function))

    def on_each(self, action: Callable[[T_co], object], /) -> Flow[T_co]:
        """Run an action on each value before it goes on; if that raises, the value does not."""
        return Flow(transform.inspected(self.source, action))

    def with_index(self) -> Flow[tuple[int, T_co]]:
        """Pair each value with its index, from 0."""
        return Flow(transform.indexed(self.source))

    @overload
    def scan(self, initial: R, function: Callable[[R, T_co], Awaitable[R]], /) -> Flow[R]: ...
    @overload
    def scan(self, initial: R, function: Callable[[R, T_co], R], /) -> Flow[R]: ...
    def scan(self, initial: R, function: Callable[[R, T_co], Any], /) -> Flow[R]:
        """Emit the initial value and then the running result after each value: n values give n + 1."""
        return Flow(transform.Scan(self.source, initial, function))

    @overload
    def running_reduce(self: Flow[T], function: Callable[[T, T], Awaitable[T]], /) -> Flow[T]: ...
    @overload
    def running_reduce(self: Flow[T], function: Callable[[T, T], T], /) -> Flow[T]: ...
    def running_reduce(self: Flow[T], function: Callable[[T, T], Any], /) -> Flow[T]:
        """Emit the first value and then the running result after each other value: n values give n."""
        return Flow(transform.accumulated(self.source, NOTHING, function))

    def pairwise(self) -> Flow[tuple[T_co, T_co]]:
        """Pair each value, from the second on, with the one before it: n values give n - 1."""
        return Flow(transform.paired(self.source))

    def chunked(self, size: int, /, *, within: float | None = None) -> Flow[list[T_co]]:
        """Gather values into lists of ``size``.

        Law: no list is empty. On completion the last one may be shorter; on failure what was gathered is dropped.

        Args:
            size: How many values a list has.
            within: Seconds after a list's first value at which it is emitted even if it is not full.

        Raises:
            ValueError: the size is below 1, or the time is not above 0.
        """
        return Flow(transform.Chunked(self.source, size) if within is None else timing.TimedChunks(self.source, size, within))

    def start_with(self, *values: R) -> Flow[R | T_co]:
        """Emit the given values before the flow starts."""
        return Flow(transform.StartWith(self.source, values))

    def pipe(self, function: Callable[[Flow[T_co]], R], /) -> R:
        """Apply a function to this flow: operators of your own in a chain of methods."""
        return function(self)

    def distinct_until_changed(self, same: Callable[[Any, Any], object] = same_value, /) -> Flow[T_co]:
        """Drop a value that is the same as the one emitted before it; by identity or equality unless told otherwise."""
        return Flow(transform.distinct(self.source, same=same))

    def distinct_until_changed_by(self, key: Callable[[T_co], object], /) -> Flow[T_co]:
        """Drop a value whose key is the same as that of the one emitted before it."""
        return Flow(transform.distinct(self.source, key))

    # A part of the values

    def take(self, count: int, /) -> Flow[T_co]:
        """Stop after so many values.

        Law: the last one is delivered first; the upstream's code after emitting it does not run.

        Raises:
            ValueError: the count is below 1.
        """
        return Flow(limit.Take(self.source, count))

    def take_while(self, predicate: Callable[[T_co], object], /) -> Flow[T_co]:
        """Stop at the first value that fails the predicate, without emitting it."""
        return Flow(limit.TakeWhile(self.source, predicate))

    def transform_while(self, function: Callable[[Emitter[R], T_co], object], /) -> Flow[R]:
        """Emit any number of values for each, and stop after the first for which ``function(emit, value)`` returns false."""
        return Flow(limit.TransformWhile(self.source, function))

    def drop(self, count: int, /) -> Flow[T_co]:
        """Skip the first values.

        Raises:
            ValueError: the count is negative.
        """
        return Flow(limit.dropped(self.source, count))

    def drop_while(self, predicate: Callable[[T_co], object], /) -> Flow[T_co]:
        """Skip values up to the first that fails the predicate, which is not called again."""
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
        """
        return Flow(buffering.buffered(self.source, capacity, on_buffer_overflow))

    def conflate(self) -> Flow[T_co]:
        """Let a slow collector skip to the newest value; the producer never waits."""
        return Flow(buffering.buffered(self.source, CONFLATED, BufferOverflow.SUSPEND))

    def cancellable(self) -> Flow[T_co]:
        """See a cancellation before each value; a source that never has to wait sees it only at every 128th otherwise.

        Law: nothing that the collecting task does after its own cancellation lets another value through.
        """
        return Flow(limit.cancellable(self.source))

    def debounce(self, timeout: float | Callable[[T_co], float], /) -> Flow[T_co]:
        """Emit a value once no newer one came for ``timeout`` seconds; the function form decides per value.

        Law: the last value is emitted when the flow completes, and dropped when it fails.

        Raises:
            ValueError: the timeout is negative.
        """
        return self if timeout == 0 else Flow(timing.Debounce(self.source, timeout))

    def sample(self, period: float, /) -> Flow[T_co]:
        """Emit the newest value every ``period`` seconds, if there is one that was not emitted yet.

        Law: the first tick comes one period after the start. On completion the value not yet emitted is dropped.

        Raises:
            ValueError: the period is not above 0.
        """
        return Flow(timing.Sample(self.source, period))

    def timeout(self, seconds: float, /) -> Flow[T_co]:
        """Fail when what is above takes longer than this before its first value, or from one to the next.

        Law: the time that the collector takes for a value does not count. What is above is cancelled first; if its cleanup
        raises something else, that is what comes out. The collection of a flow with a timeout of 0 or less fails at once.

        Raises:
            TimeoutError: on collection, when the time is over.
        """
        return Flow(timing.Timeout(self.source, seconds))

    def throttle_first(self, seconds: float, /) -> Flow[T_co]:
        """Emit a value at once, and drop those that follow it within this time.

        Raises:
            ValueError: the time is not above 0.
        """
        return Flow(timing.throttled(self.source, seconds))

    def rate_limit(self, count: int, /, *, per: float) -> Flow[T_co]:
        """Emit no more than ``count`` values in any ``per`` seconds; the producer waits, and nothing is dropped.

        Raises:
            ValueError: the count is below 1, or the time is not above 0.
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
        """
        return Flow(combining.Zip(self.source, other.source, function))

    # Flows of flows

    def flat_map_concat(self, function: Callable[[T_co], Flow[R] | Awaitable[Flow[R]]], /) -> Flow[R]:
        """Turn each value into a flow and run these one after the other, in the same task."""
        return Flow(flattening.FlatMapConcat(self.source, function))

    def flat_map_merge(
        self,
        function: Callable[[T_co], Flow[R] | Awaitable[Flow[R]]],
        /,
        *,
        concurrency: int = flattening.DEFAULT_CONCURRENCY,
    ) -> Flow[R]:
        """Turn each value into a flow and run up to ``concurrency`` of them at once; the upstream waits for a free place.

        Raises:
            ValueError: the concurrency is below 1.
        """
        return Flow(flattening.FlatMapMerge(self.source, function, concurrency))

    def flat_map_latest(self, function: Callable[[T_co], Flow[R] | Awaitable[Flow[R]]], /) -> Flow[R]:
        """Turn each value into a flow and run the newest only: a newer value cancels the running one and waits for its end."""

        def block(emit: Emit[R], value: Any) -> Awaitable[None]:
            return flattening.collect_inner(function, value, emit)

        return Flow(flattening.TransformLatest(self.source, block))

    @overload
    def map_latest(self, function: Callable[[T_co], Awaitable[R]], /) -> Flow[R]: ...
    @overload
    def map_latest(self, function: Callable[[T_co], R], /) -> Flow[R]: ...
    def map_latest(self, function: Callable[[T_co], Any], /) -> Flow[Any]:
        """Turn each value into another; a newer value cancels the running function and waits for its end."""

        async def block(emit: Emit[Any], value: Any) -> None:
            await settle(emit(await settle(function(value))))

        return Flow(flattening.TransformLatest(self.source, block))

    def transform_latest(self, function: Callable[[Emitter[R], T_co], object], /) -> Flow[R]:
        """Emit any number of values for the newest value: ``function(emit, value)``, cancelled by a newer one."""
        return Flow(flattening.TransformLatest(self.source, function))

    @overload
    def map_concurrent(self, function: Callable[[T_co], Awaitable[R]], /, *, limit: int, ordered: bool = True) -> Flow[R]: ...
    @overload
    def map_concurrent(self, function: Callable[[T_co], R], /, *, limit: int, ordered: bool = True) -> Flow[R]: ...
    def map_concurrent(self, function: Callable[[T_co], Any], /, *, limit: int, ordered: bool = True) -> Flow[Any]:
        """Turn each value into another, with up to ``limit`` calls of the function at once.

        Law: a result that waits for its turn, or for room, keeps its place among the ``limit``; the upstream waits for a free
        one. The first failure cancels the other calls.

        Args:
            limit: How many calls may run.
            ordered: Whether results keep the order of the values; otherwise they are emitted as they come.

        Raises:
            ValueError: the limit is below 1.
        """
        return Flow(flattening.MapConcurrent(self.source, function, limit, ordered))

    def flatten_concat(self: Flow[Flow[R]]) -> Flow[R]:
        """Run the flows that are the values one after the other, in the same task."""
        return Flow(flattening.FlatMapConcat(self.source, flattening.itself))

    def flatten_merge(self: Flow[Flow[R]], *, concurrency: int = flattening.DEFAULT_CONCURRENCY) -> Flow[R]:
        """Run up to ``concurrency`` of the flows that are the values at once; the upstream waits for a free place.

        Raises:
            ValueError: the concurrency is below 1.
        """
        return Flow(flattening.FlatMapMerge(self.source, flattening.itself, concurrency))

    # Beginning, end and failure

    def on_start(self, action: Callable[[Emitter[Any]], object], /) -> Flow[T_co]:
        """Run ``action(emit)`` before the flow starts; of several, the one applied last runs first."""
        return Flow(handling.OnStart(self.source, action))

    def on_completion(self, action: Callable[[Emitter[Any], BaseException | None], object], /) -> Flow[T_co]:
        """Run ``action(emit, cause)`` when the flow ended: normally (cause ``None``), by an error, a cancellation or a stop.

        Law: the cause goes on its way afterwards. Emitting is possible after a normal end only; otherwise ``emit``, and
        ``emit.all`` without running its flow, raise the cause.
        """
        return Flow(handling.OnCompletion(self.source, action))

    def on_empty(self, action: Callable[[Emitter[Any]], object], /) -> Flow[T_co]:
        """Run ``action(emit)`` if the flow completed without a value."""
        return Flow(handling.OnEmpty(self.source, action))

    def catch(
        self,
        handler: Callable[[Emitter[Any], Exception], object] = lambda _emit, _error: None,
        /,
        *kinds: type[Exception],
    ) -> Flow[T_co]:
        """Handle a failure of what is above: ``handler(emit, error)`` may emit or raise, and then the flow completes.

        Law: errors from below, cancellation and early stops pass untouched.

        Args:
            kinds: The kinds of error to handle; all if left out.
        """
        return Flow(handling.Catch(self.source, handler, kinds or (Exception,)))

    def retry(
        self,
        *kinds: type[Exception],
        attempts: float = inf,
        when: Callable[[Exception], object] = lambda _error: True,
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
        """
        decision = handling.retry_up_to(attempts, kinds or (Exception,), when, backoff)
        return Flow(handling.Retry(self.source, decision))

    def retry_when(self, predicate: Callable[[Exception, int], object], /) -> Flow[T_co]:
        """Collect what is above again as long as ``predicate(error, attempt)`` is true; the attempt counts from 0."""
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
        """
        upstream, engine = sharing_engine(self.source, replay)
        share(upstream, scope, started, engine, engine.emit, engine.reset_replay_cache)
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
        """
        if initial is NOTHING:
            if started is not None:
                raise ValueError("state_in starts at once when it has no initial value: leave started out, or give initial")
            return self._state_in(scope)
        engine: Conflation[Any] = Conflation(initial, same_value)
        share(unbuffered(self.source), scope, started, engine, engine.set, lambda: engine.set(initial))
        return StateFlow(engine)

    async def _state_in(self, scope: Scope) -> StateFlow[T_co]:
        return StateFlow(await first_state(self.source, scope))

    def to_observable(self) -> AsyncObservable[T_co]:
        """Make an aioreactive observable of this flow, on asyncio.

        Law: each subscription collects the flow in a task of its own, which belongs to the subscription. Disposing of that one
        cancels the collection and waits until it has cleaned up.
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
    """

    __slots__ = ("_dispatcher",)

    def __init__(self, engine: Dispatcher[T_co], source: Source[T_co] | None = None) -> None:
        super().__init__(engine if source is None else source)
        self._dispatcher = engine

    @property
    def replay_cache(self) -> list[T_co]:
        """Copy what a late collector would get first, oldest first."""
        return self._dispatcher.replay_cache

    @property
    def subscription_count(self) -> StateFlow[int]:
        """Tell how many collectors there are, now and as they come and go; no change is conflated away."""
        return StateFlow(subscription_count(self._dispatcher))

    def buffer(self, capacity: int = BUFFERED, *, on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND) -> Flow[T_co]:
        """Give each collector a queue of its own, see `Flow.buffer`; return this flow where that would have no room."""
        if capacity == RENDEZVOUS and on_buffer_overflow is BufferOverflow.SUSPEND:
            return self
        return super().buffer(capacity, on_buffer_overflow=on_buffer_overflow)

    def cancellable(self) -> SharedFlow[T_co]:
        """Return this flow: nothing reaches a collector after its cancellation."""
        return self

    def on_subscription(self, action: Callable[[Emitter[Any]], object], /) -> SharedFlow[T_co]:
        """Run ``action(emit)`` for each collector once it is registered, before it gets any value.

        Law: what is emitted to this flow while the action runs is not missed. The action's ``emit`` reaches this collector
        only. Of several actions, the one applied first runs first.
        """
        return SharedFlow(self._dispatcher, handling.subscribed_with(self.source, action))


class StateFlow(SharedFlow[T_co]):
    """A hot flow that has a value (Kotlin: ``StateFlow``); collectors get it at once, and then its changes.

    Law: a collector that is busy skips to the newest value. Setting a value that is the same changes nothing. It never
    completes.
    """

    __slots__ = ("_state",)

    def __init__(self, engine: StateEngine[T_co]) -> None:
        super().__init__(engine)
        self._state = engine

    @property
    def value(self) -> T_co:
        """Give the current value."""
        return self._state.value

    def conflate(self) -> Flow[T_co]:
        """Return this flow: it is conflated as it is. (`subscription_count`, which is not, is conflated.)"""
        return self if self._state.conflated else super().conflate()

    def buffer(self, capacity: int = BUFFERED, *, on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND) -> Flow[T_co]:
        """Give each collector a queue of its own, see `Flow.buffer`; return this flow where that only conflates."""
        if (capacity, on_buffer_overflow) in _CONFLATING and self._state.conflated:
            return self
        return super().buffer(capacity, on_buffer_overflow=on_buffer_overflow)

    def distinct_until_changed(self, same: Callable[[Any, Any], object] = same_value, /) -> Flow[T_co]:
        """Return this flow, which is distinct as it is, unless it or this call compares in a way of its own."""
        return self if same is same_value and self._state.distinct else super().distinct_until_changed(same)
