"""Operators that let the producer run ahead of the collector, through a channel."""

from __future__ import annotations

import sys
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from flowsock.channels.capacity import BUFFERED, CONFLATED, BufferOverflow, resolve_capacity
from flowsock.channels.channel import Channel
from flowsock.flows.conduit import HandingSubscriber
from flowsock.flows.queued import QueuedSubscriber
from flowsock.flows.source import HotSource, Source, Staged
from flowsock.scopes.groups import task_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit
    from flowsock.flows.subscriber import Subscriber

T = TypeVar("T")


class Channeled(Source[T]):
    """A source whose values pass through a channel of its own; adjacent buffers merge into that channel.

    Law: the producing side runs in a child task of the collection. It is cancelled when the collector ends, and its failure
    ends the collector without draining the buffer.
    """

    __slots__ = ("capacity", "overflow")

    concurrent = True

    def __init__(self, capacity: int, overflow: BufferOverflow) -> None:
        resolve_capacity(capacity, overflow)
        conflated = capacity == CONFLATED
        self.capacity = 0 if conflated else capacity
        self.overflow = BufferOverflow.DROP_OLDEST if conflated else overflow

    @abstractmethod
    async def produce(self, channel: Channel[Any]) -> None:
        """Send every value."""

    @abstractmethod
    def resized(self, capacity: int, overflow: BufferOverflow) -> Channeled[T]:
        """Give the same source with another channel."""

    def merged(self, capacity: int, overflow: BufferOverflow) -> Channeled[T]:
        """Put another buffer below this one: rules F1 to F3 of Kotlin's channel fusion."""
        resolve_capacity(capacity, overflow)
        if overflow is not BufferOverflow.SUSPEND or capacity == CONFLATED:
            return self.resized(capacity, overflow)
        return self.resized(_add(self.capacity, capacity), self.overflow)

    def new_channel(self) -> Channel[Any]:
        return Channel(self.capacity, on_buffer_overflow=self.overflow)

    async def collect(self, emit: Emit[Any]) -> None:
        channel = self.new_channel()
        consumer = HandingSubscriber(channel, emit)
        try:
            async with task_group() as group:
                group.start_soon(self._produce_all, channel)
                await consumer.run()
                group.cancel_scope.cancel()
        finally:
            channel.cancel()

    async def _produce_all(self, channel: Channel[Any]) -> None:
        await self.produce(channel)
        channel.close()


def _add(first: int, second: int) -> int:
    if BUFFERED in (first, second):
        return second if first == BUFFERED else first
    return min(first + second, sys.maxsize)


class Buffered(Channeled[Any]):
    """The upstream's values through a buffer."""

    __slots__ = ("upstream",)

    def __init__(self, upstream: Source[Any], capacity: int, overflow: BufferOverflow) -> None:
        super().__init__(capacity, overflow)
        self.upstream = upstream

    def resized(self, capacity: int, overflow: BufferOverflow) -> Buffered:
        return Buffered(self.upstream, capacity, overflow)

    async def produce(self, channel: Channel[Any]) -> None:
        await self.upstream.collect(channel.send)


class Subscribed(HotSource[Any], Buffered):
    """A hot source's values through a buffer that is the subscription's own: no child task as long as nothing waits.

    Law: with a dropping policy the subscription is never behind, so a slow collector never slows the hot source.
    """

    __slots__ = ("_chain", "_hot")

    def __init__(self, upstream: Source[Any], capacity: int, overflow: BufferOverflow) -> None:
        super().__init__(upstream, capacity, overflow)
        self._hot, self._chain = _split(upstream)

    def resized(self, capacity: int, overflow: BufferOverflow) -> Subscribed:
        return Subscribed(self.upstream, capacity, overflow)

    def subscribe(self, emit: Emit[Any]) -> Subscriber[Any]:
        return QueuedSubscriber(emit, self._hot, self._chain, self.capacity, self.overflow)

    async def collect(self, emit: Emit[Any]) -> None:
        await self.subscribe(emit).run()


def _split(source: Source[Any]) -> tuple[HotSource[Any], Callable[[Emit[Any]], Emit[Any]]]:
    if isinstance(source, Staged):
        assert isinstance(source.root, HotSource)
        return source.root, source.chain
    assert isinstance(source, HotSource)
    return source, _no_stages


def _no_stages(emit: Emit[Any]) -> Emit[Any]:
    return emit


def _is_direct(source: Source[Any]) -> bool:
    if isinstance(source, Staged):
        return _is_direct(source.root) and not any(stage.may_wait for stage in source.stages)
    return isinstance(source, HotSource) and source.direct


def buffered(source: Source[Any], capacity: int, overflow: BufferOverflow) -> Channeled[Any]:
    """Put a buffer below a source, in the cheapest form that keeps the laws."""
    if isinstance(source, Channeled):
        return source.merged(capacity, overflow)
    if _is_direct(source):
        return Subscribed(source, capacity, overflow)
    return Buffered(source, capacity, overflow)
