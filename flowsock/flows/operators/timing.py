"""Operators that look at the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import CancelScope, Event, current_time, move_on_after
from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.channels.channel import NOTHING, Channel
from flowsock.emitting import settle
from flowsock.flows.source import Operator
from flowsock.scopes.groups import task_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit
    from flowsock.flows.source import Source


class Debounce(Operator[Any]):
    """Each value that no other one followed for a while."""

    __slots__ = ("timeout",)

    concurrent = True

    def __init__(self, upstream: Source[Any], timeout: float | Callable[[Any], float]) -> None:
        if not callable(timeout) and timeout < 0:
            raise ValueError(f"debounce needs a timeout of 0 s or more, got {timeout}")
        super().__init__(upstream)
        self.timeout = timeout

    async def collect(self, emit: Emit[Any]) -> None:
        channel: Channel[Any] = Channel()
        async with task_group() as group:
            group.start_soon(self._feed, channel)
            await self._settle_values(channel, emit)

    async def _feed(self, channel: Channel[Any]) -> None:
        await self.upstream.collect(channel.send)
        channel.close()

    async def _settle_values(self, channel: Channel[Any], emit: Emit[Any]) -> None:
        async for value in channel:
            last = value
            while last is not NOTHING:
                newer: Any = NOTHING
                quiet = self._quiet_time(last)
                if quiet > 0:
                    with move_on_after(quiet):
                        newer = await anext(channel, NOTHING)
                await checkpoint_if_cancelled()
                if newer is NOTHING:
                    await settle(emit(last))
                last = newer

    def _quiet_time(self, value: Any) -> float:
        timeout = self.timeout(value) if callable(self.timeout) else self.timeout
        if timeout < 0:
            raise ValueError(f"debounce needs a timeout of 0 s or more, got {timeout} for {value!r}")
        return timeout


class Sample(Operator[Any]):
    """At each tick, the newest value since the last one, if there is any."""

    __slots__ = ("period",)

    concurrent = True

    def __init__(self, upstream: Source[Any], period: float) -> None:
        if period <= 0:
            raise ValueError(f"sample needs a period above 0 s, got {period}")
        super().__init__(upstream)
        self.period = period

    async def collect(self, emit: Emit[Any]) -> None:
        newest: Any = NOTHING
        ended = Event()

        def keep(value: Any) -> None:
            nonlocal newest
            newest = value

        async def watch() -> None:
            await self.upstream.collect(keep)
            ended.set()

        async with task_group() as group:
            group.start_soon(watch)
            due = current_time()
            while not ended.is_set():
                due = max(due + self.period, current_time())
                with CancelScope(deadline=due) as until_due:
                    await ended.wait()
                if not until_due.cancelled_caught:
                    return
                if newest is not NOTHING:
                    value, newest = newest, NOTHING
                    await settle(emit(value))
