"""One collector of a hot source that has a queue of its own between the source and its chain."""

from __future__ import annotations

from contextlib import closing
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from flowsock.channels.channel import Channel
from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import READY
from flowsock.flows.conduit import poll
from flowsock.flows.subscriber import End, Subscriber
from flowsock.parking import new_sleeper
from flowsock.scopes.groups import task_group

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from anyio.abc import TaskGroup

    from flowsock.channels.capacity import BufferOverflow
    from flowsock.emitting import Emit
    from flowsock.flows.source import HotSource

T = TypeVar("T")


class QueuedSubscriber(Subscriber[T]):
    """Be dispatched to in place while idle, and queue while busy; what is above the queue has a task only if it has to wait.

    Args:
        chain: What is below the queue.
        source: The hot source.
        stages: What is between the two, above the queue.
        capacity: How many values the queue has room for.
        overflow: What happens when it is full.
    """

    __slots__ = ("_capacity", "_overflow", "_queue", "_upstream")

    def __init__(
        self,
        chain: Emit[T],
        source: HotSource[T],
        stages: Callable[[Emit[T]], Emit[T]],
        capacity: int,
        overflow: BufferOverflow,
    ) -> None:
        super().__init__(chain)
        self._capacity = capacity
        self._overflow = overflow
        self._queue: Channel[T] | None = None
        self._upstream: Subscriber[T] | None = source.subscribe(stages(self._put))
        try:
            self._upstream.run_without_task(self)
        except End:
            self._end_queue()
        except BaseException:
            self.close()
            raise

    def _put(self, value: T) -> Awaitable[None] | None:
        """Take a value from above."""
        if self.emit is not self._chain:
            return self._backlog().send(value)
        try:
            result = self.emit(value)
            if result is not None and result is not READY:
                self.dispatched(result)
        except BaseException as error:
            self.fail(error)
        return None

    def _backlog(self) -> Channel[T]:
        if self._queue is None:
            self._queue = self.new_queue(self._capacity, self._overflow)
        return self._queue

    def new_queue(self, capacity: int, overflow: BufferOverflow) -> Channel[T]:
        """Make the queue, when it is first needed."""
        return Channel(capacity, on_buffer_overflow=overflow)

    def next_value(self) -> T | Nothing:
        if self._queue is None:
            return NOTHING
        return poll(self._queue)

    def fall_behind(self) -> None:
        """Leave nothing to be told: the queue keeps the backlog."""

    def released(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.close()

    async def run(self) -> None:
        with closing(self):
            await self.begin()
            if self.is_idle:
                await self.idle(new_sleeper(self.close))
                self.rise()
            upstream = self._upstream
            if upstream is None:
                await super().run()
                return
            # Either side has something to await. From here on what is above can have a task of its own, for when the queue is
            # full or a stage turns out asynchronous; it has the collector's context, whoever emitted.
            async with task_group() as group:
                with closing(self):  # a group that is being left takes no new tasks
                    upstream.start_when_needed(_Start(group, partial(self._run_upstream, upstream)))
                    await super().run()
                group.cancel_scope.cancel()

    async def _run_upstream(self, upstream: Subscriber[T]) -> None:
        await upstream.run()
        self._end_queue()
        self.wake()

    def _end_queue(self) -> None:
        self._backlog().close()


class _Start:
    """What starts a task of a group, in the context in which this is made."""

    __slots__ = ("_context", "_function", "_group")

    def __init__(self, group: TaskGroup, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._context = copy_context()
        self._group = group
        self._function = function

    def wake(self) -> None:
        self._context.run(self._group.start_soon, self._function)
