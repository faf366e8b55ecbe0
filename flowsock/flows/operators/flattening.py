"""Operators that turn each value into a flow, and these flows into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import Event, Semaphore

from flowsock.channels.capacity import BUFFERED, BufferOverflow
from flowsock.emitting import Emitter, settle
from flowsock.flows.operators.buffering import Channeled
from flowsock.flows.source import Operator, Source, collect_alone
from flowsock.scopes.groups import task_group
from flowsock.scopes.scope import coroutine_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.channels.channel import Channel
    from flowsock.emitting import Emit
    from flowsock.scopes.job import Job
    from flowsock.scopes.scope import Scope

DEFAULT_CONCURRENCY = 16


def itself(flow: Any) -> Any:
    """Give the inner flow where it is the value."""
    return flow


async def inner_source(function: Callable[[Any], Any], value: Any) -> Source[Any]:
    """Give what is below the flow that a callback, sync or async, makes of a value."""
    flow = function(value)
    if hasattr(flow, "__await__"):
        flow = await flow
    source: Source[Any] = flow.source
    return source


async def collect_inner(function: Callable[[Any], Any], value: Any, emit: Emit[Any]) -> None:
    """Collect the flow that a callback, sync or async, makes of a value."""
    await (await inner_source(function, value)).collect(emit)


class FlatMapConcat(Operator[Any]):
    """The inner flows one after the other, in the same task."""

    __slots__ = ("function",)

    concurrent = True  # what the inner flows are is not known before they are made

    def __init__(self, upstream: Source[Any], function: Callable[[Any], Any]) -> None:
        super().__init__(upstream)
        self.function = function

    async def collect(self, emit: Emit[Any]) -> None:
        async def inner(value: Any) -> None:
            await collect_inner(self.function, value, emit)

        await self.upstream.collect(inner)


class FlatMapMerge(Channeled[Any]):
    """The values of up to ``concurrency`` inner flows as they come."""

    __slots__ = ("concurrency", "function", "upstream")

    def __init__(
        self,
        upstream: Source[Any],
        function: Callable[[Any], Any],
        concurrency: int,
        capacity: int = BUFFERED,
        overflow: BufferOverflow = BufferOverflow.SUSPEND,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be 1 or more, got {concurrency}")
        super().__init__(capacity, overflow)
        self.upstream = upstream
        self.function = function
        self.concurrency = concurrency

    def resized(self, capacity: int, overflow: BufferOverflow) -> FlatMapMerge:
        return FlatMapMerge(self.upstream, self.function, self.concurrency, capacity, overflow)

    async def produce(self, channel: Channel[Any]) -> None:
        slots = Semaphore(self.concurrency)

        async def run(inner: Source[Any]) -> None:
            try:
                await collect_alone(inner, channel.send)
            finally:
                slots.release()

        async with task_group() as group:

            async def start(value: Any) -> None:
                inner = await inner_source(self.function, value)
                await slots.acquire()
                group.start_soon(run, inner)

            await self.upstream.collect(start)


class MapConcurrent(Channeled[Any]):
    """The results of a function, up to ``limit`` calls of which run at once.

    A call keeps its place until its result is sent, in the order of the values or as the results come.
    """

    __slots__ = ("function", "limit", "ordered", "upstream")

    def __init__(
        self,
        upstream: Source[Any],
        function: Callable[[Any], Any],
        limit: int,
        ordered: bool,
        capacity: int = BUFFERED,
        overflow: BufferOverflow = BufferOverflow.SUSPEND,
    ) -> None:
        if limit < 1:
            raise ValueError(f"map_concurrent needs a limit of 1 or more, got {limit}")
        super().__init__(capacity, overflow)
        self.upstream = upstream
        self.function = function
        self.limit = limit
        self.ordered = ordered

    def resized(self, capacity: int, overflow: BufferOverflow) -> MapConcurrent:
        return MapConcurrent(self.upstream, self.function, self.limit, self.ordered, capacity, overflow)

    async def produce(self, channel: Channel[Any]) -> None:
        slots = Semaphore(self.limit)

        async def run(value: Any, turn: Event | None, next_turn: Event) -> None:
            result = await settle(self.function(value))
            if turn is not None:
                await turn.wait()
            await channel.send(result)
            next_turn.set()
            slots.release()

        async with task_group() as group:
            turn: Event | None = None

            async def start(value: Any) -> None:
                nonlocal turn
                await slots.acquire()
                next_turn = Event()
                group.start_soon(run, value, turn, next_turn)
                turn = next_turn if self.ordered else None

            await self.upstream.collect(start)


class TransformLatest(Channeled[Any]):
    """What a block emits for the newest value; a newer value cancels the running block, and waits for its end."""

    __slots__ = ("block", "upstream")

    def __init__(
        self,
        upstream: Source[Any],
        block: Callable[[Any, Any], Any],
        capacity: int = BUFFERED,
        overflow: BufferOverflow = BufferOverflow.SUSPEND,
    ) -> None:
        super().__init__(capacity, overflow)
        self.upstream = upstream
        self.block = block

    def resized(self, capacity: int, overflow: BufferOverflow) -> TransformLatest:
        return TransformLatest(self.upstream, self.block, capacity, overflow)

    async def produce(self, channel: Channel[Any]) -> None:
        async with coroutine_scope() as scope:
            await self.upstream.collect(self._restarter(scope, Emitter(channel.send)))

    def _restarter(self, scope: Scope, emitter: Emitter[Any]) -> Emit[Any]:
        running: Job[None] | None = None

        async def restart(value: Any) -> None:
            nonlocal running
            if running is not None:
                await running.cancel_and_join()
            started = Event()

            async def run() -> None:
                started.set()
                await settle(self.block(emitter, value))

            running = scope.launch(run)
            # The block has reached its first suspension when this task runs again: one that never waits is never cut.
            await started.wait()

        return restart
