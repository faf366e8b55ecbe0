"""`share_in`, `state_in` and the strategies that start and stop them, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import Event, current_time, fail_after, sleep, sleep_forever

from flowsock import (
    Flow,
    MutableStateFlow,
    Scope,
    SharingCommand,
    SharingStarted,
    coroutine_scope,
    flow,
    flow_of,
)
from flowsock.testing import turbine
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

START, STOP, RESET = SharingCommand.START, SharingCommand.STOP, SharingCommand.STOP_AND_RESET_REPLAY_CACHE


class Upstream:
    """OK, then DONE once the barrier is open, then nothing for ever; counts its runs."""

    def __init__(self, *, end: Exception | None = None) -> None:
        self.runs = 0
        self.running = 0
        self.barrier = Event()
        self.end = end

    @flow
    async def flow(self) -> AsyncIterator[str]:
        self.runs += 1
        self.running += 1
        try:
            yield "OK"
            await self.barrier.wait()
            yield "DONE"
            if self.end is not None:
                raise self.end
            await sleep_forever()
        finally:
            self.running -= 1


def listen(scope: Scope, shared: Flow[str]) -> list[str]:
    seen: list[str] = []
    shared.on_each(seen.append).launch_in(scope)
    return seen


async def test_eagerly_starts_without_subscribers_and_late_ones_miss_what_is_not_replayed() -> None:
    """Scenario share_in-01."""
    upstream = Upstream()
    async with coroutine_scope() as scope:
        shared = upstream.flow().share_in(scope, started=SharingStarted.EAGERLY)
        await settled()
        assert upstream.runs == 1
        listeners = [listen(scope, shared) for _ in range(10)]
        await settled()
        assert listeners == [[]] * 10
        scope.cancel()


async def test_eagerly_lets_the_code_after_it_subscribe_first() -> None:
    async with coroutine_scope() as scope:
        shared = flow_of("OK").on_start(lambda _emit: a_while()).share_in(scope, started=SharingStarted.EAGERLY)
        seen = listen(scope, shared)
        await settled()
        assert seen == ["OK"]
        scope.cancel()


@pytest.mark.parametrize(("replay", "others"), [(0, ["DONE"]), (1, ["OK", "DONE"])])
async def test_lazily_starts_with_the_first_subscriber_and_runs_once(replay: int, others: list[str]) -> None:
    """Scenarios share_in-02 and share_in-03."""
    upstream = Upstream()
    async with coroutine_scope() as scope:
        shared = upstream.flow().share_in(scope, started=SharingStarted.LAZILY, replay=replay)
        await settled()
        assert upstream.runs == 0
        listeners = []
        for _ in range(10):
            listeners.append(listen(scope, shared))
            await settled()
        upstream.barrier.set()
        await settled()
        assert listeners == [["OK", "DONE"], *([others] * 9)]
        assert upstream.runs == 1
        scope.cancel()


async def test_lazily_goes_on_without_subscribers() -> None:
    upstream = Upstream()
    async with coroutine_scope() as scope:
        shared = upstream.flow().share_in(scope, started=SharingStarted.LAZILY, replay=1)
        assert await shared.first() == "OK"
        await sleep(1000)
        assert upstream.running == 1
        upstream.barrier.set()
        await settled()
        assert shared.replay_cache == ["DONE"]
        scope.cancel()
    assert upstream.running == 0


async def test_the_upstreams_end_is_not_seen_and_its_values_stay() -> None:
    """Scenario share_in-04."""
    async with coroutine_scope() as scope:
        shared = flow_of("OK").share_in(scope, started=SharingStarted.EAGERLY, replay=1)
        await settled()
        assert scope.jobs == ()
        async with turbine(shared) as events:
            assert await events.item() == "OK"
            await sleep(100)
            events.no_events()
        scope.cancel()


async def test_the_upstreams_failure_is_the_scopes() -> None:
    """Scenarios share_in-05 and state_in-02."""
    upstream = Upstream(end=ValueError("upstream"))
    upstream.barrier.set()
    with pytest.raises(ValueError, match="upstream"):
        async with coroutine_scope() as scope:
            shared = upstream.flow().share_in(scope, started=SharingStarted.EAGERLY, replay=2)
            state = flow_of("state").state_in(scope, initial="", started=SharingStarted.EAGERLY)
            await sleep_forever()
    assert shared.replay_cache == ["OK", "DONE"]
    assert state.value == "state"


async def test_a_subscriber_that_leaves_at_once_is_not_overlooked() -> None:
    """Scenario share_in-08."""
    for started in (SharingStarted.LAZILY, SharingStarted.while_subscribed()):
        upstream = Upstream()
        async with coroutine_scope() as scope:
            shared = upstream.flow().share_in(scope, started=started)
            listener = shared.launch_in(scope)
            await shared.subscription_count.first(lambda count: count > 0)
            listener.cancel()
            await settled()
            assert upstream.runs == 1
            assert upstream.running == (1 if started is SharingStarted.LAZILY else 0)
            scope.cancel()


async def test_while_subscribed_is_the_default_and_stops_with_the_last_subscriber() -> None:
    upstream = Upstream()
    async with coroutine_scope() as scope:
        shared = upstream.flow().share_in(scope, replay=1)
        await settled()
        assert upstream.runs == 0
        first, second = shared.launch_in(scope), shared.launch_in(scope)
        await settled()
        assert (upstream.runs, upstream.running) == (1, 1)
        first.cancel()
        await settled()
        assert upstream.running == 1
        second.cancel()
        await settled()
        assert upstream.running == 0
        assert shared.replay_cache == ["OK"]
        assert await shared.take(2).to_list() == ["OK", "OK"]  # the old cache first, then the upstream from its start
        assert upstream.runs == 2
        scope.cancel()


async def test_a_stop_timeout_bridges_short_absences() -> None:
    """Scenario share_in-11."""
    upstream = Upstream()
    started = SharingStarted.while_subscribed(stop_timeout=400, replay_expiration=0)
    async with coroutine_scope() as scope:
        shared = upstream.flow().share_in(scope, started=started, replay=1)
        for _ in range(5):
            assert await shared.first() == "OK"
            await sleep(100)
        assert upstream.runs == upstream.running == 1
        await sleep(301)
        assert upstream.running == 0
        assert shared.replay_cache == []
        scope.cancel()


async def test_an_expired_state_is_the_initial_one_again() -> None:
    """Scenario sharing_started-09."""
    upstream = Upstream()
    started = SharingStarted.while_subscribed(replay_expiration=0)
    async with coroutine_scope() as scope:
        state = upstream.flow().state_in(scope, initial="initial", started=started)
        assert state.value == "initial"
        assert await state.take(2).to_list() == ["initial", "OK"]
        assert state.value == "OK"
        await sleep(1)
        assert state.value == "initial"
        scope.cancel()


async def test_a_restart_after_the_upstreams_end_collects_it_anew() -> None:
    runs: list[int] = []

    @flow
    async def once() -> AsyncIterator[int]:
        runs.append(len(runs))
        yield len(runs)

    async with coroutine_scope() as scope:
        shared = once().share_in(scope)
        assert await shared.first() == 1
        await sleep(1)
        assert await shared.first() == 2
        scope.cancel()


@pytest.mark.parametrize(("replay", "started_emits"), [(10, 66), (100, 102)])
async def test_a_slow_subscriber_holds_the_upstream_back_after_its_room(replay: int, started_emits: int) -> None:
    """Scenarios share_in-13 and share_in-14."""
    produced: list[int] = []
    seen: list[int] = []
    gate = Event()

    @flow
    async def source() -> AsyncIterator[int]:
        await a_while()
        for value in range(200):
            produced.append(value)
            yield value

    async def hold(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        source().share_in(scope, started=SharingStarted.EAGERLY, replay=replay).on_each(hold).launch_in(scope)
        await sleep(1)
        assert len(produced) == started_emits
        gate.set()
        await sleep(1)
        assert seen == list(range(200))
        scope.cancel()


async def test_cancelling_the_sharing_scope_does_not_end_subscribers() -> None:
    upstream = Upstream()
    async with coroutine_scope() as outer:
        async with coroutine_scope() as scope:
            shared = upstream.flow().share_in(scope, started=SharingStarted.EAGERLY)
            listener = shared.launch_in(outer)
            await settled()
            scope.cancel()
        await settled()
        assert upstream.running == 0
        assert listener.is_active
        outer.cancel()


# The commands themselves


async def commands(started: SharingStarted, *steps: tuple[float, int]) -> list[tuple[float, SharingCommand]]:
    """Drive a strategy by a count: at each time (in seconds since the start) the number of subscribers."""
    counts = MutableStateFlow(0)
    log: list[tuple[float, SharingCommand]] = []
    start = current_time()
    with fail_after(100_000):
        async with coroutine_scope() as scope:
            scope.launch(
                started.commands(counts).collect, lambda command: log.append((round(current_time() - start, 3), command))
            )
            for when, count in steps:
                await sleep(start + when - current_time())
                counts.value = count
            await sleep(10_000)
            scope.cancel()
    return log


async def test_eagerly_says_start_once() -> None:
    assert await commands(SharingStarted.EAGERLY, (1, 1), (2, 0)) == [(0, START)]


async def test_lazily_says_start_at_the_first_subscriber() -> None:
    """Scenario sharing_started-02."""
    assert await commands(SharingStarted.LAZILY, (1, 1), (2, 10), (3, 0), (4, 5)) == [(1, START)]


async def test_while_subscribed_says_nothing_within_the_stop_timeout() -> None:
    """Scenario sharing_started-05."""
    started = SharingStarted.while_subscribed(stop_timeout=100)
    assert await commands(started, (10, 1), (200, 0), (250, 1), (400, 0)) == [(10, START), (500, STOP)]


async def test_while_subscribed_resets_after_the_expiration() -> None:
    """Scenario sharing_started-07."""
    started = SharingStarted.while_subscribed(stop_timeout=400, replay_expiration=300)
    log = await commands(started, (10, 1), (1000, 0), (1350, 1), (2000, 0), (2650, 1), (3000, 0))
    assert log == [(10, START), (2400, STOP), (2650, START), (3400, STOP), (3700, RESET)]


def test_durations_are_checked() -> None:
    """Scenario sharing_started-08."""
    with pytest.raises(ValueError, match="stop_timeout"):
        SharingStarted.while_subscribed(stop_timeout=-1)
    with pytest.raises(ValueError, match="replay_expiration"):
        SharingStarted.while_subscribed(replay_expiration=-1)


async def test_share_in_checks_its_replay_at_the_call() -> None:
    async with coroutine_scope() as scope:
        with pytest.raises(ValueError, match="negative"):
            flow_of(1).share_in(scope, replay=-1)
        assert scope.jobs == ()


# Strategies of one's own


class Scripted(SharingStarted):
    """Say what it was told to say, whatever the number of subscribers."""

    def __init__(self, *script: tuple[float, SharingCommand], failure: Exception | None = None) -> None:
        self.script = script
        self.failure = failure

    @flow
    async def _say(self) -> AsyncIterator[SharingCommand]:
        for wait, command in self.script:
            await sleep(wait)
            yield command
        if self.failure is not None:
            raise self.failure

    def commands(self, counts: Flow[int]) -> Flow[SharingCommand]:
        return self._say()


async def test_a_strategy_of_ones_own_starts_stops_and_resets() -> None:
    """A repeated command and a stop before a start change nothing, and neither does the end of the commands."""
    upstream = Upstream()
    started = Scripted((0, STOP), (10, START), (10, START), (10, STOP), (10, RESET), (10, START))
    async with coroutine_scope() as scope:
        shared = upstream.flow().share_in(scope, started=started, replay=1)
        await sleep(5)
        assert (upstream.runs, upstream.running, shared.replay_cache) == (0, 0, [])
        for expected in ((1, 1, ["OK"]), (1, 1, ["OK"]), (1, 0, ["OK"]), (1, 0, []), (2, 1, ["OK"]), (2, 1, ["OK"])):
            await sleep(10)
            assert (upstream.runs, upstream.running, shared.replay_cache) == expected
        scope.cancel()


async def test_a_strategy_that_fails_fails_the_scope_and_stops_the_upstream() -> None:
    upstream = Upstream()
    with pytest.raises(ValueError, match="strategy"):
        async with coroutine_scope() as scope:
            started = Scripted((0, START), (10, START), failure=ValueError("strategy"))
            upstream.flow().share_in(scope, started=started)
            await sleep(5)
            assert upstream.running == 1
            await sleep_forever()
    assert upstream.running == 0


async def test_a_strategy_sees_every_number_of_subscribers() -> None:
    seen: list[int] = []

    class Watching(SharingStarted):
        def commands(self, counts: Flow[int]) -> Flow[SharingCommand]:
            return counts.on_each(seen.append).filter(lambda count: count == 2).map(lambda _count: START)

    async with coroutine_scope() as scope:
        shared = flow_of("OK").share_in(scope, started=Watching())
        first, second = listen(scope, shared), listen(scope, shared)
        await settled()
        assert (seen, first, second) == ([0, 1, 2], ["OK"], ["OK"])
        scope.cancel()
