"""Operators over several flows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import CancelScope
from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.channels.capacity import BUFFERED, BufferOverflow
from flowsock.channels.channel import Channel
from flowsock.clause import NOTHING
from flowsock.emitting import TURN, settle
from flowsock.flows.conduit import feed
from flowsock.flows.operators.buffering import Channeled
from flowsock.flows.source import Operator, Source, collect_alone, collect_until
from flowsock.scopes.groups import task_group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowsock.emitting import Emit
    from flowsock.scopes.groups import Stop


class Merge(Channeled[Any]):
    """The values of several flows as they come."""

    __slots__ = ("upstreams",)

    def __init__(
        self,
        upstreams: Sequence[Source[Any]],
        capacity: int = BUFFERED,
        overflow: BufferOverflow = BufferOverflow.SUSPEND,
    ) -> None:
        super().__init__(capacity, overflow)
        self.upstreams = upstreams

    def resized(self, capacity: int, overflow: BufferOverflow) -> Merge:
        return Merge(self.upstreams, capacity, overflow)

    async def produce(self, channel: Channel[Any]) -> None:
        async with task_group() as group:
            for upstream in self.upstreams:
                group.start_soon(collect_alone, upstream, channel.send)


class Combine(Source[Any]):
    """The newest value of every flow, each time one of them has a new one; the combiner gets ``emit`` first.

    Law: nothing is emitted before each flow had a value. Values that are there at the same time are taken together: a batch
    ends where a flow shows up a second time, so no value of a flow is skipped.
    """

    __slots__ = ("combiner", "upstreams")

    concurrent = True

    def __init__(self, upstreams: Sequence[Source[Any]], combiner: Callable[..., Any]) -> None:
        self.upstreams = upstreams
        self.combiner = combiner

    async def collect(self, emit: Emit[Any]) -> None:
        if not self.upstreams:
            return
        channel: Channel[tuple[int, Any]] = Channel(len(self.upstreams))
        async with task_group() as group:
            group.start_soon(self._feed, channel)
            await self._combine(channel, emit)

    async def _feed(self, channel: Channel[tuple[int, Any]]) -> None:
        async with task_group() as group:
            for index, upstream in enumerate(self.upstreams):
                group.start_soon(upstream.collect, _fair_sender(channel, index))
        channel.close()

    async def _combine(self, channel: Channel[tuple[int, Any]], emit: Emit[Any]) -> None:
        latest: list[Any] = [NOTHING] * len(self.upstreams)
        missing = len(latest)
        async for update in channel:
            item: tuple[int, Any] | None = update
            while item is not None:
                batch: set[int] = set()
                while item is not None and item[0] not in batch:
                    index, value = item
                    missing -= latest[index] is NOTHING
                    latest[index] = value
                    batch.add(index)
                    item = channel.receive_nowait() if len(channel) else None
                if not missing:
                    await checkpoint_if_cancelled()
                    await settle(self.combiner(emit, *latest))


def _fair_sender(channel: Channel[tuple[int, Any]], index: int) -> Emit[Any]:
    async def send(value: Any) -> None:
        await channel.send((index, value))
        # A turn after each value lets the other flows take part, so that none of them starves.
        await TURN

    return send


class Zip(Operator[Any]):
    """Pairs of the upstream's values and another flow's, until either ends.

    The upstream is collected in the collecting task, the other flow in a child, through a channel without a buffer.
    """

    __slots__ = ("function", "other")

    concurrent = True

    def __init__(self, upstream: Source[Any], other: Source[Any], function: Callable[[Any, Any], Any]) -> None:
        super().__init__(upstream)
        self.other = other
        self.function = function

    async def collect(self, emit: Emit[Any]) -> None:
        partners: Channel[Any] = Channel()
        waiting_for_more = CancelScope()
        pairing = _Pairing(partners, self.function, emit)

        async def supply() -> None:
            await feed(self.other, partners)
            if not pairing.busy:
                waiting_for_more.cancel()

        async with task_group() as group:
            group.start_soon(supply)
            with waiting_for_more:
                await collect_until(self.upstream, pairing.until)
            group.cancel_scope.cancel()


class _Pairing:
    """One collection of a `Zip`: while it is busy, the end of the other flow must not cancel the collector's own code."""

    __slots__ = ("_emit", "_function", "_partners", "busy")

    def __init__(self, partners: Channel[Any], function: Callable[[Any, Any], Any], emit: Emit[Any]) -> None:
        self._partners = partners
        self._function = function
        self._emit = emit
        self.busy = False

    def until(self, stop: Stop) -> Emit[Any]:
        async def pair(value: Any) -> None:
            self.busy = True
            partner = await anext(self._partners, NOTHING)
            if partner is NOTHING:
                raise stop
            await settle(self._emit(await settle(self._function(value, partner))))
            if self._partners.is_closed_for_receive:
                raise stop
            self.busy = False

        return pair
