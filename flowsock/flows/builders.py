"""Making flows: from generators, values, iterables, channels, functions, clocks, producers and other flows."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar, overload

from flowsock.channels.channel import Channel
from flowsock.emitting import Emitter, settle
from flowsock.flows.conduit import ChannelSource, ConsumedSource
from flowsock.flows.flow import Flow
from flowsock.flows.operators.combining import Combine, Merge
from flowsock.flows.sources import (
    Borrowed,
    FunctionSource,
    GeneratorSource,
    IntervalSource,
    IterableSource,
    ProducedSource,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aioreactive import AsyncObservable

    from flowsock.channels.producing import Producer
    from flowsock.emitting import Emit

P = ParamSpec("P")
T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
R = TypeVar("R")


def flow(function: Callable[P, AsyncIterator[T]]) -> Callable[P, Flow[T]]:
    """Make a function that returns a flow out of an async generator function (Kotlin: ``flow { }``).

    Law: ``yield`` emits, and returns when the value was handled. Each collection runs the generator from the start, in the
    collecting task, and closes it there; a ``yield`` inside ``async with`` is safe.

    >>> @flow
    ... async def countdown(start: int) -> AsyncIterator[int]:
    ...     for n in range(start, 0, -1):
    ...         yield n
    ...         await sleep(1)
    >>> await countdown(3).to_list()
    [3, 2, 1]

        countdown(9).filter(lambda n: n % 3 == 0)
        9--6--3--|
    """

    @wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        return Flow(GeneratorSource(partial(function, *args, **kwargs)))

    return build


def channel_flow(function: Callable[Concatenate[Producer[T], P], Awaitable[object]]) -> Callable[P, Flow[T]]:
    """Make a function that returns a flow out of a coroutine function that sends (Kotlin: ``channelFlow { }``).

    Law: the first argument is a `Producer`; its ``send`` may be used from several jobs of ``producer.scope`` at once. The flow
    completes when the function and all these jobs ended, and cancels them when its collector ends. Up to 64 values wait for a
    slow collector; a ``buffer`` applied to the flow changes that.

    >>> @channel_flow
    ... async def both(producer: Producer[str], first: Flow[str], second: Flow[str]) -> None:
    ...     producer.scope.launch(first.collect, producer.send)
    ...     await second.collect(producer.send)
    >>> await both(flow_of("a"), flow_of("b")).to_set() == {"a", "b"}
    True

        -a----b--|
        ---x--|
        both(a, b)
        -a-x--b--|
    """

    @wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        def body(producer: Producer[T]) -> Awaitable[object]:
            return function(producer, *args, **kwargs)

        return Flow(ProducedSource(body))

    return build


def callback_flow(function: Callable[Concatenate[Producer[T], P], Awaitable[object]]) -> Callable[P, Flow[T]]:
    """Make a function that returns a flow out of a coroutine function that hands its `Producer` to callbacks.

    Law: as for `channel_flow`. The function registers its callbacks, which use ``producer.send_nowait``, and ends with ``await
    producer.await_close(cleanup)``; returning with the producer open fails the collection with a ``RuntimeError`` instead of
    leaving the callbacks behind.

    >>> @callback_flow
    ... async def presses(producer: Producer[str], keyboard: Flow[str]) -> None:
    ...     callback = keyboard.on_each(producer.send_nowait).launch_in(producer.scope)
    ...     await producer.await_close(callback.cancel)
    >>> await presses(flow_of("a", "b")).take(2).to_list()
    ['a', 'b']

        -a--b--|
        presses(a)
        -a--b-----
    """

    @wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        async def body(producer: Producer[T]) -> None:
            await function(producer, *args, **kwargs)
            if not producer.is_closed_for_send:
                raise RuntimeError("a callback_flow must end with `await producer.await_close(cleanup)`, or close its producer")

        return Flow(ProducedSource(body))

    return build


def flow_of(*values: T) -> Flow[T]:
    """Emit the given values.

    Law: each collection gets all of them, without a wait between them.

    >>> await flow_of(1, 2).to_list()
    [1, 2]

        flow_of(1, 2, 3)
        (1 2 3|)
    """
    return Flow(IterableSource(values))


def empty_flow() -> Flow[Any]:
    """Complete without a value.

    Law: a collection is over at once.

    >>> await empty_flow().to_list()
    []

        empty_flow()
        |
    """
    return Flow(IterableSource(()))


def interval(period: float, *, initial_delay: float | None = None) -> Flow[int]:
    """Count 0, 1, 2, … every so many seconds.

    Law: the rate is fixed; a tick that comes while the collector is busy is skipped.

    Args:
        period: Seconds between two ticks.
        initial_delay: Seconds before the first one; one period if left out.

    Raises:
        ValueError: the period is not above 0, or the delay is negative.

    >>> await interval(60).take(3).to_list()
    [0, 1, 2]

        interval(3)
        ---0--1--2--
    """
    return Flow(IntervalSource(period, period if initial_delay is None else initial_delay))


# The first kind that fits decides.
_CONVERSIONS: Final[tuple[tuple[type[Any], Callable[[Any], Flow[Any]]], ...]] = (
    (Flow, lambda source: source),
    (Channel, lambda source: Flow(ChannelSource(source))),
    (AsyncIterator, lambda source: Flow(GeneratorSource(partial(Borrowed, source)))),
    (AsyncIterable, lambda source: Flow(GeneratorSource(source.__aiter__))),
    (Iterable, lambda source: Flow(IterableSource(source))),
)


@overload
def as_flow(source: Flow[T], /) -> Flow[T]: ...
@overload
def as_flow(source: Channel[T], /) -> Flow[T]: ...
@overload
def as_flow(source: AsyncObservable[T], /) -> Flow[T]: ...
@overload
def as_flow(source: AsyncIterable[T], /) -> Flow[T]: ...
@overload
def as_flow(source: Iterable[T], /) -> Flow[T]: ...
@overload
def as_flow(source: Callable[[], Awaitable[T]], /) -> Flow[T]: ...
@overload
def as_flow(source: Callable[[], T], /) -> Flow[T]: ...
def as_flow(source: Any, /) -> Flow[Any]:
    """Make a flow of something else.

    Law: an iterable is iterated anew by each collection (an iterator gives what is left of it). Collectors of one channel share
    its values among themselves, and leave it open (``receiveAsFlow``). A function is called once per collection; its result,
    awaited if it can be, is the only value. An aioreactive observable is subscribed to by each collection.

    Raises:
        TypeError: the argument is none of these.

    >>> await as_flow(range(3)).to_list()
    [0, 1, 2]

        as_flow(range(1, 4))
        (1 2 3|)
    """
    if hasattr(source, "subscribe_async"):
        from flowsock.interop.aioreactive import ObservableSource

        return Flow(ObservableSource(source))
    for kind, make in _CONVERSIONS:
        if isinstance(source, kind):
            return make(source)
    if callable(source):
        return Flow(FunctionSource(source))
    raise TypeError(
        f"as_flow takes an iterable, an async iterable, a channel, a function without arguments or an aioreactive "
        f"observable, not {type(source).__name__}"
    )


def consume_as_flow(channel: Channel[T], /) -> Flow[T]:
    """Make a flow of a channel that ends together with its one collection (Kotlin: ``consumeAsFlow``).

    Law: however the collection ends, the channel is cancelled then: what was not received is dropped, and its senders raise
    `ChannelCancelled`, or what the collection failed with. A second collection raises a ``RuntimeError``.

    >>> channel = Channel(3)
    >>> await flow_of(1, 2, 3).collect(channel.send)
    >>> await consume_as_flow(channel).take(2).to_list(), channel.is_closed_for_receive
    ([1, 2], True)

        -1--2--|
        consume_as_flow(a.produce_in(scope))
        -1--2--|
    """
    return Flow(ConsumedSource(channel))


def merge(*flows: Flow[T]) -> Flow[T]:
    """Collect several flows at once and emit their values as they come.

    Law: each flow's own order is kept. Up to 64 values wait for a slow collector; a ``buffer`` below changes that. The first
    failure cancels the others; a `Cancellation` ends its own flow only. Completes when all completed.

    >>> await merge(interval(2), interval(5)).take(3).to_list()
    [0, 1, 0]

        -a----b--|
        ---x----y---|
        merge(a, b)
        -a-x--b-y---|
    """
    return Flow(Merge([each.source for each in flows]))


@overload
def combine(a: Flow[T1], function: Callable[[T1], Awaitable[R]], /) -> Flow[R]: ...
@overload
def combine(a: Flow[T1], function: Callable[[T1], R], /) -> Flow[R]: ...
@overload
def combine(a: Flow[T1], b: Flow[T2], function: Callable[[T1, T2], Awaitable[R]], /) -> Flow[R]: ...
@overload
def combine(a: Flow[T1], b: Flow[T2], function: Callable[[T1, T2], R], /) -> Flow[R]: ...
@overload
def combine(a: Flow[T1], b: Flow[T2], c: Flow[T3], function: Callable[[T1, T2, T3], Awaitable[R]], /) -> Flow[R]: ...
@overload
def combine(a: Flow[T1], b: Flow[T2], c: Flow[T3], function: Callable[[T1, T2, T3], R], /) -> Flow[R]: ...
@overload
def combine(
    a: Flow[T1], b: Flow[T2], c: Flow[T3], d: Flow[T4], function: Callable[[T1, T2, T3, T4], Awaitable[R]], /
) -> Flow[R]: ...
@overload
def combine(a: Flow[T1], b: Flow[T2], c: Flow[T3], d: Flow[T4], function: Callable[[T1, T2, T3, T4], R], /) -> Flow[R]: ...
@overload
def combine(
    a: Flow[Any], b: Flow[Any], c: Flow[Any], d: Flow[Any], e: Flow[Any], /, *more_flows_and_function: Any
) -> Flow[Any]: ...
def combine(*flows_and_function: Any) -> Flow[Any]:
    """Call a function, the last argument, with the newest value of each flow, each time one of them has a new one.

    Law: nothing is emitted before each flow had a value. Values that are there at the same time are taken together. The first
    failure cancels the others. Completes when all completed.

    >>> await combine(flow_of(1), flow_of("a"), lambda n, text: n * text).to_list()
    ['a']

        -1-----2------|
        ---10------20-|
        combine(a, b, lambda n, m: n + m)
        ---11--12--22-|
    """
    *flows, function = flows_and_function

    async def combiner(emit: Emit[Any], *values: Any) -> None:
        await settle(emit(await settle(function(*values))))

    return Flow(Combine([each.source for each in flows], combiner))


@overload
def combine_transform(a: Flow[T1], function: Callable[[Emitter[R], T1], object], /) -> Flow[R]: ...
@overload
def combine_transform(a: Flow[T1], b: Flow[T2], function: Callable[[Emitter[R], T1, T2], object], /) -> Flow[R]: ...
@overload
def combine_transform(
    a: Flow[T1], b: Flow[T2], c: Flow[T3], function: Callable[[Emitter[R], T1, T2, T3], object], /
) -> Flow[R]: ...
@overload
def combine_transform(
    a: Flow[Any], b: Flow[Any], c: Flow[Any], d: Flow[Any], /, *more_flows_and_function: Any
) -> Flow[Any]: ...
def combine_transform(*flows_and_function: Any) -> Flow[Any]:
    """Emit any number of values for the newest ones of each flow: ``function(emit, *values)``, the last argument.

    Law: as for `combine`.

    >>> await combine_transform(flow_of(1), flow_of(2), lambda emit, n, m: emit(n + m)).to_list()
    [3]

        -1-----2------|
        ---10------20-|
        combine_transform(a, b, lambda emit, n, m: emit(n + m) if n > 1 else None)
        -------12--22-|
    """
    *flows, function = flows_and_function

    def combiner(emit: Emit[Any], *values: Any) -> object:
        return function(Emitter(emit), *values)

    return Flow(Combine([each.source for each in flows], combiner))
