"""Operators that look at the clock."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any

from anyio import CancelScope, Event, current_time, move_on_after, sleep_until
from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.channels.channel import Channel
from flowsock.clause import NOTHING
from flowsock.emitting import Then, settle, waiting
from flowsock.flows.conduit import feed
from flowsock.flows.source import Operator, collect_until, staged
from flowsock.parking import event_clock
from flowsock.scopes.groups import task_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit
    from flowsock.flows.source import Source
    from flowsock.scopes.groups import Stop


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
            group.start_soon(feed, self.upstream, channel)
            await self._settle_values(channel, emit)

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


class TimedChunks(Operator[Any]):
    """Lists of ``size`` values, or of those that came within a time of the first."""

    __slots__ = ("size", "within")

    concurrent = True

    def __init__(self, upstream: Source[Any], size: int, within: float) -> None:
        if size < 1 or within <= 0:
            raise ValueError(f"chunked needs a size of 1 or more and a time above 0 s, got {size} and {within}")
        super().__init__(upstream)
        self.size = size
        self.within = within

    async def collect(self, emit: Emit[Any]) -> None:
        channel: Channel[Any] = Channel()
        async with task_group() as group:
            group.start_soon(feed, self.upstream, channel)
            async for value in channel:
                await settle(emit(await self._fill([value], channel)))

    async def _fill(self, chunk: list[Any], channel: Channel[Any]) -> list[Any]:
        with move_on_after(self.within):
            while len(chunk) < self.size and (value := await anext(channel, NOTHING)) is not NOTHING:
                chunk.append(value)
        await checkpoint_if_cancelled()
        return chunk


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
        now = event_clock()
        due = horizon = now() + self.period
        newest: Any = NOTHING
        following: Any = NOTHING
        ended = Event()

        def keep(value: Any) -> None:
            nonlocal newest, following
            # The task of the tick may run after this one, although it is due.
            if now() < horizon:
                newest = value
            else:
                following = value

        async def watch() -> None:
            await self.upstream.collect(keep)
            ended.set()

        async with task_group() as group:
            group.start_soon(watch)
            while not ended.is_set():
                with CancelScope(deadline=due):
                    await ended.wait()
                if now() < due:
                    return
                value, newest, following = newest, following, NOTHING
                if value is not NOTHING:
                    horizon = inf
                    await settle(emit(value))
                due = horizon = max(due + self.period, now())


class Timeout(Operator[Any]):
    """The upstream's values, as long as it never takes too long for the next one."""

    __slots__ = ("seconds",)

    concurrent = True  # the cancel scope must not be left open while an iterating caller runs

    def __init__(self, upstream: Source[Any], seconds: float) -> None:
        super().__init__(upstream)
        self.seconds = seconds

    async def collect(self, emit: Emit[Any]) -> None:
        if self.seconds <= 0:
            raise self._expired()
        now = event_clock()
        watch = CancelScope(deadline=now() + self.seconds)

        def limit(stop: Stop) -> Emit[Any]:
            def restart(_result: object) -> object:
                watch.deadline = now() + self.seconds
                return None

            def pass_on(value: Any) -> object:
                if watch.cancel_called:
                    raise stop
                # The collector may take its time.
                watch.deadline = inf
                result = emit(value)
                if result is not None and (pending := waiting(result)) is not None:
                    return Then(pending, restart)
                return restart(result)

            return pass_on

        with watch:
            await collect_until(self.upstream, limit)
        if watch.cancel_called:
            raise self._expired()

    def _expired(self) -> TimeoutError:
        return TimeoutError(f"the flow took more than {self.seconds} s for its next value")


def throttled(source: Source[Any], seconds: float) -> Source[Any]:
    if seconds <= 0:
        raise ValueError(f"throttle_first needs a time above 0 s, got {seconds}")

    def stage(emit: Emit[Any]) -> Emit[Any]:
        open_again = -inf

        def pass_on(value: Any) -> object:
            nonlocal open_again
            now = current_time()
            if now < open_again:
                return None
            open_again = now + seconds
            return emit(value)

        return pass_on

    return staged(source, stage)


def rate_limited(source: Source[Any], count: int, period: float) -> Source[Any]:
    if count < 1 or period <= 0:
        raise ValueError(f"rate_limit needs a count of 1 or more and a time above 0 s, got {count} and {period}")

    def stage(emit: Emit[Any]) -> Emit[Any]:
        free_at: deque[float] = deque([-inf] * count)

        def pass_on(value: Any) -> object:
            if free_at[0] > current_time():
                return Then(sleep_until(free_at[0]), lambda _slept: take_place(value))
            return take_place(value)

        def take_place(value: Any) -> object:
            free_at.popleft()
            free_at.append(current_time() + period)
            return emit(value)

        return pass_on

    return staged(source, stage, may_wait=True)
