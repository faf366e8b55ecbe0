"""`MutableSharedFlow`: rules SF1 to SF14 of the catalog, Kotlin's scripted scenarios, and a random walk against a model."""

from __future__ import annotations

import re
from typing import Any

import anyio
import pytest
from anyio import Event, fail_after
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock import BufferOverflow, Flow, Job, MutableSharedFlow, Scope, SharedFlow, WouldBlock, coroutine_scope
from flowsock.testing.clock import virtual_time
from tests.turns import settled

SUSPEND, DROP_OLDEST, DROP_LATEST = BufferOverflow.SUSPEND, BufferOverflow.DROP_OLDEST, BufferOverflow.DROP_LATEST


class Subscriber:
    """Keep each value until told to go on; a fast one takes what comes."""

    def __init__(self, scope: Scope, flow: Flow[int], *, fast: bool = False) -> None:
        self.seen: list[int] = []
        self.checked = 0
        self._gate = Event()
        self.job = flow.on_each(self.seen.append if fast else self._hold).launch_in(scope)

    async def _hold(self, value: int) -> None:
        self.seen.append(value)
        self._gate = Event()
        await self._gate.wait()

    def proceed(self) -> None:
        self._gate.set()


# Rules


@pytest.mark.anyio
@pytest.mark.parametrize("overflow", BufferOverflow)
async def test_without_subscribers_only_the_replay_cache_remembers(overflow: BufferOverflow) -> None:
    """Rule SF1, scenario shared_flow-07."""
    shared = MutableSharedFlow[int](replay=2, extra_buffer_capacity=3, on_buffer_overflow=overflow)
    for value in range(10):
        shared.emit_nowait(value)
        with fail_after(1):
            await shared.emit(value + 100)
    assert shared.replay_cache == [9, 109]
    assert shared.dropped == 0
    async with coroutine_scope() as scope:
        late = Subscriber(scope, shared, fast=True)
        await settled()
        assert late.seen == [9, 109]
        scope.cancel()
    assert shared.replay_cache == [9, 109]
    nothing = MutableSharedFlow[int](extra_buffer_capacity=5)
    nothing.emit_nowait(1)
    assert nothing.replay_cache == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("overflow", "seen", "replay"),
    [(SUSPEND, [1, 2, 3, 4], [4]), (DROP_OLDEST, [1, 4, 5, 6], [6]), (DROP_LATEST, [1, 2, 3, 4], [4])],
)
async def test_overflow_follows_the_policy(overflow: BufferOverflow, seen: list[int], replay: list[int]) -> None:
    """Rules SF2 and SF3."""
    shared = MutableSharedFlow[int](replay=1, extra_buffer_capacity=2, on_buffer_overflow=overflow)
    async with coroutine_scope() as scope:
        slow = Subscriber(scope, shared)
        await settled()
        for value in range(1, 5):
            shared.emit_nowait(value)
        await settled()
        for value in (5, 6):
            if overflow is SUSPEND:
                with pytest.raises(WouldBlock):
                    shared.emit_nowait(value)
            else:
                with fail_after(1):
                    await shared.emit(value)
        assert shared.replay_cache == replay
        assert shared.dropped == (0 if overflow is SUSPEND else 2)
        for _ in range(5):
            slow.proceed()
            await settled()
        assert slow.seen == seen
        scope.cancel()


@pytest.mark.anyio
async def test_a_rendezvous_waits_for_everybody_to_pick_the_value_up() -> None:
    """Rule SF4; an idle collector picks it up inside the call, unlike Kotlin's."""
    shared = MutableSharedFlow[int]()
    async with coroutine_scope() as scope:
        fast = Subscriber(scope, shared, fast=True)
        slow = Subscriber(scope, shared)
        await settled()
        shared.emit_nowait(1)
        await settled()
        emitters = [scope.launch(shared.emit, value) for value in (2,)]
        await settled()
        emitters.append(scope.launch(shared.emit, 3))
        await settled()
        assert fast.seen == [1, 2]  # only the first of the queue is visible
        assert [emitter.is_completed for emitter in emitters] == [False, False]
        slow.proceed()
        await settled()
        assert slow.seen == [1, 2]
        assert fast.seen == [1, 2, 3]
        assert [emitter.is_completed for emitter in emitters] == [True, False]
        scope.cancel()


@pytest.mark.anyio
async def test_a_freed_place_wakes_idle_subscribers_for_the_queued_value() -> None:
    """Rule SF5, scenario shared_scenario-14."""
    shared = MutableSharedFlow[int](replay=1)
    async with coroutine_scope() as scope:
        first = Subscriber(scope, shared, fast=True)
        second = Subscriber(scope, shared)
        await settled()
        shared.emit_nowait(0)
        await settled()
        shared.emit_nowait(1)
        two = scope.launch(shared.emit, 2)
        await settled()
        assert two.is_active
        assert first.seen == [0, 1]
        second.proceed()
        await settled()
        assert two.is_completed
        assert first.seen == [0, 1, 2]
        three = scope.launch(shared.emit, 3)
        await settled()
        assert not three.is_completed
        scope.cancel()


@pytest.mark.anyio
async def test_when_the_last_subscriber_leaves_all_emitters_resume() -> None:
    """Rule SF6, scenario shared_flow-14: and the flow works as before, three times in a row."""
    shared = MutableSharedFlow[int](extra_buffer_capacity=123)
    for _ in range(3):
        accepted: list[int] = []

        async def emit(accepted: list[int] = accepted) -> None:
            for value in range(1000):
                await shared.emit(value)
                accepted.append(value)

        async with coroutine_scope() as scope:
            gate = Event()
            seen: list[int] = []

            def handle(value: int, seen: list[int] = seen, gate: Event = gate) -> object:
                seen.append(value)
                return gate.wait() if value == 61 else None

            subscriber = shared.on_each(handle).launch_in(scope)
            await settled()
            emitter = scope.launch(emit)
            await settled()
            assert seen == list(range(62))
            assert accepted == list(range(185))
            subscriber.cancel()
            with fail_after(5):
                await emitter
            assert accepted == list(range(1000))


@pytest.mark.anyio
async def test_reset_replay_cache_forgets_for_future_subscribers_only() -> None:
    """Rule SF9, scenario shared_flow-10."""
    shared = MutableSharedFlow[int](replay=1)
    async with coroutine_scope() as scope:
        slow = Subscriber(scope, shared)
        await settled()
        shared.emit_nowait(3)
        await settled()
        shared.emit_nowait(5)
        emitter = scope.launch(shared.emit, 6)
        await settled()
        shared.reset_replay_cache()
        await settled()
        assert shared.replay_cache == []
        assert emitter.is_active
        with pytest.raises(WouldBlock):
            shared.emit_nowait(10)
        late = Subscriber(scope, shared, fast=True)
        await settled()
        assert late.seen == []
        for _ in range(3):
            slow.proceed()
            await settled()
        assert slow.seen == [3, 5, 6]
        assert late.seen == [6]
        assert emitter.is_completed
        assert shared.replay_cache == [6]
        scope.cancel()


@pytest.mark.anyio
async def test_a_reset_frees_no_room_for_those_who_may_not_wait() -> None:
    """Scenario shared_flow-12, rule SF9."""
    shared = MutableSharedFlow[int](replay=2, extra_buffer_capacity=1)
    async with coroutine_scope() as scope:
        slow = Subscriber(scope, shared)
        await settled()
        shared.emit_nowait(3)
        await settled()
        assert slow.seen == [3]
        for value in (4, 5, 0):
            shared.emit_nowait(value)
        with pytest.raises(WouldBlock):
            shared.emit_nowait(10)
        assert shared.replay_cache == [5, 0]
        shared.reset_replay_cache()
        assert shared.replay_cache == []
        with pytest.raises(WouldBlock):
            shared.emit_nowait(0)
        for _ in range(4):
            slow.proceed()
            await settled()
        assert slow.seen == [3, 4, 5, 0]
        assert shared.replay_cache == []
        scope.cancel()


@pytest.mark.anyio
@pytest.mark.parametrize("replay", [0, 1, 3, 10])
@pytest.mark.parametrize("extra", [0, 1, 5])
async def test_replay_then_live_for_any_sizes(replay: int, extra: int) -> None:
    """Scenario shared_flow-17, rule SF8."""
    shared = MutableSharedFlow[int](replay=replay, extra_buffer_capacity=extra)
    for _ in range(2):
        for value in range(1, 101):
            shared.emit_nowait(value)
        replayed = list(range(101 - replay, 101))
        assert shared.replay_cache == replayed
        async with coroutine_scope() as scope:
            subscribers = [Subscriber(scope, shared, fast=True) for _ in range(5)]
            await settled()
            for value in range(101, 143):
                shared.emit_nowait(value)
            assert all(subscriber.seen == replayed + list(range(101, 143)) for subscriber in subscribers)
            scope.cancel()
        assert shared.replay_cache == list(range(143 - replay, 143))


@pytest.mark.anyio
async def test_subscription_count_is_a_state_that_hides_no_change() -> None:
    """Scenarios shared_flow-04 and shared_flow-25."""
    shared = MutableSharedFlow[int]()
    counts: list[int] = []
    async with coroutine_scope() as scope:
        shared.subscription_count.on_each(counts.append).launch_in(scope)
        await settled()
        first, second = Subscriber(scope, shared, fast=True), Subscriber(scope, shared, fast=True)
        await settled()
        assert shared.subscription_count.value == 2
        await first.job.cancel_and_join()
        shared.emit_nowait(17)
        await second.job.cancel_and_join()
        shared.emit_nowait(24)
        await settled()
        assert (first.seen, second.seen) == ([], [17])
        assert counts == [0, 1, 2, 1, 0]
        assert await shared.subscription_count.first() == 0
        scope.cancel()


@pytest.mark.anyio
async def test_a_slow_watcher_of_the_count_sees_every_change() -> None:
    shared = MutableSharedFlow[int]()
    async with coroutine_scope() as scope:
        watcher = Subscriber(scope, shared.subscription_count)
        await settled()
        for _ in range(3):
            job = shared.launch_in(scope)
            await settled()
            job.cancel()
        for _ in range(7):
            watcher.proceed()
            await settled()
        assert watcher.seen == [0, 1, 0, 1, 0, 1, 0]
        scope.cancel()


@pytest.mark.anyio
async def test_a_collector_that_came_to_its_first_wait_is_registered() -> None:
    """Scenario shared_flow-26."""
    shared = MutableSharedFlow[int]()
    seen: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(shared.collect, seen.append)
        while not shared.subscription_count.value:
            await anyio.lowlevel.checkpoint()
        shared.emit_nowait(1)
        group.cancel_scope.cancel()
    assert seen == [1]


@pytest.mark.anyio
@pytest.mark.parametrize(("replay", "extra"), [(100, 0), (0, 100)])
async def test_subscribers_that_come_and_go_see_no_gap_and_no_duplicate(replay: int, extra: int) -> None:
    """Scenarios shared_flow-27 and shared_flow-28."""
    shared = MutableSharedFlow[int](replay=replay, extra_buffer_capacity=extra)
    async with coroutine_scope() as scope:
        subscribers: list[Subscriber] = []
        for value in range(1, 101):
            shared.emit_nowait(value)
            subscribers.append(Subscriber(scope, shared, fast=True))
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
            if value % 2 == 0:
                subscribers[(value * 7919) % len(subscribers)].job.cancel()
        for index, subscriber in enumerate(subscribers, 1):
            start = 1 if replay else index + 1
            assert subscriber.seen == list(range(start, start + len(subscriber.seen)))
        assert subscribers[0].seen or subscribers[1].seen
        scope.cancel()


def test_sizes_are_checked_when_the_flow_is_made() -> None:
    for replay, extra in ((-1, 0), (0, -1), (2, -1)):
        with pytest.raises(ValueError, match="negative"):
            MutableSharedFlow[int](replay=replay, extra_buffer_capacity=extra)
    for overflow in (DROP_OLDEST, DROP_LATEST):
        with pytest.raises(ValueError, match="buffer"):
            MutableSharedFlow[int](on_buffer_overflow=overflow)


@pytest.mark.anyio
async def test_the_read_only_view_shows_the_same_flow_and_cannot_emit() -> None:
    shared = MutableSharedFlow[int](replay=1)
    view = shared.as_shared_flow()
    assert type(view) is SharedFlow
    assert not hasattr(view, "emit")
    shared.emit_nowait(1)
    assert view.replay_cache == [1]
    assert await view.first() == 1


@pytest.mark.anyio
async def test_none_is_a_value() -> None:
    """Rule G10."""
    shared = MutableSharedFlow[None](replay=2)
    shared.emit_nowait(None)
    assert shared.replay_cache == [None]
    assert await shared.take(1).to_list() == [None]


# Kotlin's scripted scenarios

SCENARIOS: dict[str, tuple[int, int, str]] = {
    "shared_scenario-01": (
        1,
        2,
        (
            "emit! 1; emit! 2; emit! 3; emit! 4; replay=[4]; a<-4; emit! 5; emit! 6; emit! 7; replay=[7]; emit~ 8; "
            "replay=[7]; a<-5; resumed 8; replay=[8]"
        ),
    ),
    "shared_scenario-04": (
        1,
        2,
        (
            "emit! 0; a<-0; emit! 15; emit! 16; emit! 18; emit~ 19; emit~ 20; emit~ 21; cancel emit 21; replay=[18]; "
            "a<-15; resumed 19; a<-16; resumed 20; replay=[20]; a<-18; a<-19; a<-20"
        ),
    ),
    "shared_scenario-05": (
        1,
        2,
        (
            "emit! 0; a<-0; emit! 22; emit! 23; emit! 24; emit~ 25; emit~ 26; emit~ 27; cancel emit 25; reset; "
            "replay=[]; a<-22; resumed 26; replay=[26]; b<-26; a<-23; resumed 27; replay=[27]; a<-24; a<-26; a<-27"
        ),
    ),
    "shared_scenario-06": (
        1,
        2,
        (
            "emit! 27; a<-27; b<-27; emit! 28; emit! 29; emit! 30; a<-28; a<-29; a<-30; emit~ 31; emit~ 32; emit~ 33; "
            "emit~ 34; cancel emit 32; unsubscribe b; resumed 31; resumed 33; resumed 34; replay=[34]; c<-34; a<-31; "
            "a<-33; a<-34"
        ),
    ),
    "shared_scenario-08": (
        1,
        0,
        (
            "emit! 4; a<-4; emit! 6; reset; reset; replay=[]; emit~ 7; emit~ 8; a<-6; resumed 7; replay=[7]; reset; "
            "replay=[]; subscribe b; a<-7; resumed 8; replay=[8]; b<-8"
        ),
    ),
    "shared_scenario-09": (
        1,
        0,
        (
            "emit! 12; a<-12; b<-12; reset; emit! 13; replay=[13]; b<-13; emit~ 14; emit~ 15; emit~ 16; "
            "cancel emit 14; unsubscribe a; resumed 15; replay=[15]; b<-15; resumed 16; replay=[16]; b<-16"
        ),
    ),
    "shared_scenario-12": (
        1,
        0,
        (
            "emit! 0; a<-0; emit! 1; replay=[1]; emit~ 2; emit~ 3; unsubscribe a; resumed 2; resumed 3; replay=[3]; "
            "b<-3; emit! 4; replay=[4]; b<-4"
        ),
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", SCENARIOS)
async def test_kotlins_scenario(name: str) -> None:
    """The steps of shared_scenario-01, 04, 05, 06, 08, 09 and 12, in the notation of the scenario file."""
    replay, extra, script = SCENARIOS[name]
    shared = MutableSharedFlow[int](replay=replay, extra_buffer_capacity=extra)
    subscribers: dict[str, Subscriber] = {}
    emitters: dict[int, Job[None]] = {}
    async with coroutine_scope() as scope:
        for step in script.split(";"):
            words = step.strip()
            number = int(found[0]) if (found := re.findall(r"\d+", words)) else -1
            if words.startswith("emit"):
                emitters[number] = scope.launch(shared.emit, number)
                await settled()
                assert emitters[number].is_completed is words.startswith("emit!"), words
            elif words.startswith("replay="):
                assert str(shared.replay_cache) == words.removeprefix("replay="), words
            elif words == "reset":
                shared.reset_replay_cache()
            elif words.startswith("resumed"):
                assert emitters[number].is_completed, words
            elif words.startswith("cancel emit"):
                emitters[number].cancel()
            elif words.startswith("unsubscribe"):
                subscribers[words[-1]].job.cancel()
            elif words.startswith("subscribe"):
                subscribers[words[-1]] = Subscriber(scope, shared)
            else:
                who = words[0]
                if who not in subscribers:
                    subscribers[who] = Subscriber(scope, shared)
                elif len(subscribers[who].seen) == subscribers[who].checked:
                    subscribers[who].proceed()
                await settled()
                assert subscribers[who].seen[subscribers[who].checked] == number, words
                subscribers[who].checked += 1
            await settled()
        scope.cancel()


# A random walk against a model


class Model:
    """The rules as a program: everything at rest, so that an idle subscriber has seen all there is."""

    def __init__(self, replay: int, extra: int, overflow: BufferOverflow) -> None:
        self.replay, self.capacity, self.overflow = replay, replay + extra, overflow
        self.values: list[int | None] = []  # all that was ever accepted; None: withdrawn
        self.replay_from = 0
        self.next: dict[int, int] = {}  # by subscriber
        self.busy: dict[int, bool] = {}
        self.fast: set[int] = set()
        self.seen: dict[int, list[int]] = {}
        self.queue: list[int] = []
        self.rendezvous: int | None = None
        self.done: set[int] = set()

    @property
    def start(self) -> int:
        return max(self.replay_from, len(self.values) - self.replay)

    @property
    def replay_cache(self) -> list[int]:
        return [value for value in self.values[self.start :] if value is not None]

    def lag(self) -> int:
        return len(self.values) - min(self.next.values()) if self.next else 0

    def would_block(self) -> bool:
        if not self.next or self.overflow is not SUSPEND:
            return False
        if self.capacity == 0:
            return any(self.busy.values())
        return bool(self.queue) or self.lag() >= self.capacity

    def emit(self, value: int) -> None:
        if not self.next:
            self.accept(value)
            self.done.add(value)
        elif self.overflow is SUSPEND and (self.queue or self.rendezvous is not None or self.lag() >= max(self.capacity, 1)):
            self.queue.append(value)
        elif self.lag() >= max(self.capacity, 1):
            if self.overflow is DROP_OLDEST:
                oldest = min(self.next.values())
                for subscriber, index in self.next.items():
                    self.next[subscriber] = max(index, oldest + 1)
                self.accept(value)
            self.done.add(value)
        else:
            self.queue.append(value)
            self.admit()

    def admit(self) -> None:
        while True:
            if self.rendezvous is not None and not self.lag():
                self.done.add(self.rendezvous)
                self.rendezvous = None
            if not self.queue or self.rendezvous is not None or self.lag() >= max(self.capacity, 1):
                return
            value = self.queue.pop(0)
            if self.capacity:
                self.done.add(value)
            else:
                self.rendezvous = value
            self.accept(value)

    def accept(self, value: int) -> None:
        self.values.append(value)
        for subscriber in self.next:
            if not self.busy[subscriber]:
                self.pick_up(subscriber)

    def pick_up(self, subscriber: int) -> None:
        while self.next[subscriber] < len(self.values):
            value = self.values[self.next[subscriber]]
            self.next[subscriber] += 1
            if value is None:
                continue
            self.seen[subscriber].append(value)
            if subscriber not in self.fast:
                self.busy[subscriber] = True
                return

    def subscribe(self, subscriber: int, *, fast: bool) -> None:
        if fast:
            self.fast.add(subscriber)
        self.next[subscriber] = self.start
        self.busy[subscriber] = False
        self.seen[subscriber] = []
        self.pick_up(subscriber)
        self.admit()

    def proceed(self, subscriber: int) -> None:
        if self.busy.get(subscriber):
            self.busy[subscriber] = False
            self.pick_up(subscriber)
            self.admit()

    def unsubscribe(self, subscriber: int) -> None:
        del self.next[subscriber], self.busy[subscriber]
        if not self.next:
            for value in self.queue:
                self.accept(value)
            self.done.update(self.queue)
            if self.rendezvous is not None:
                self.done.add(self.rendezvous)
            self.queue, self.rendezvous = [], None
        self.admit()

    def withdraw(self, value: int) -> None:
        if value == self.rendezvous:
            self.rendezvous = None
            self.values[-1] = None
            for subscriber in self.next:
                self.next[subscriber] = len(self.values)
        else:
            self.queue.remove(value)
        self.admit()

    def reset(self) -> None:
        self.replay_from = len(self.values)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "emit",
                "emit",
                "emit",
                "emit_nowait",
                "slow",
                "fast",
                "proceed",
                "proceed",
                "proceed",
                "unsubscribe",
                "withdraw",
                "reset",
            ]
        ),
        st.integers(0, 5),
    ),
    max_size=40,
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    replay=st.integers(0, 3), extra=st.integers(0, 3), overflow=st.sampled_from(BufferOverflow), operations=OPERATIONS,
)  # fmt: skip
def test_a_random_walk_agrees_with_the_rules(
    backend: str, replay: int, extra: int, overflow: BufferOverflow, operations: list[tuple[str, int]]
) -> None:
    if replay + extra == 0:
        overflow = SUSPEND
    name, options = virtual_time(backend)
    anyio.run(walk, replay, extra, overflow, operations, backend=name, backend_options=dict(options))


async def walk(replay: int, extra: int, overflow: BufferOverflow, operations: list[tuple[str, int]]) -> None:
    shared = MutableSharedFlow[int](replay=replay, extra_buffer_capacity=extra, on_buffer_overflow=overflow)
    model = Model(replay, extra, overflow)
    subscribers: dict[int, Subscriber] = {}
    emitters: dict[int, Job[None]] = {}

    def chosen(candidates: list[Any], number: int) -> Any:
        return candidates[number % len(candidates)] if candidates else None

    async with coroutine_scope() as scope:
        for step, (operation, number) in enumerate(operations):
            present = list(model.next)
            subscriber = chosen(present, number)
            if operation == "emit":
                emitters[step] = scope.launch(shared.emit, step)
                model.emit(step)
            elif operation == "emit_nowait":
                if model.would_block():
                    with pytest.raises(WouldBlock):
                        shared.emit_nowait(step)
                else:
                    shared.emit_nowait(step)
                    model.emit(step)
            elif operation in ("slow", "fast"):
                subscribers[step] = Subscriber(scope, shared, fast=operation == "fast")
                model.subscribe(step, fast=operation == "fast")
            elif operation == "proceed" and subscriber is not None:
                subscribers[subscriber].proceed()
                model.proceed(subscriber)
            elif operation == "unsubscribe" and subscriber is not None:
                subscribers[subscriber].job.cancel()
                model.unsubscribe(subscriber)
            elif operation == "withdraw":
                waiting = [*([model.rendezvous] if model.rendezvous is not None else []), *model.queue]
                value = chosen([value for value in waiting if value in emitters], number)
                if value is not None:
                    emitters[value].cancel()
                    model.withdraw(value)
                    model.done.add(value)
            elif operation == "reset":
                shared.reset_replay_cache()
                model.reset()
            await settled()
            assert {key: each.seen for key, each in subscribers.items()} == model.seen
            assert shared.replay_cache == model.replay_cache
            assert shared.subscription_count.value == len(model.next)
            assert {value for value, job in emitters.items() if job.is_completed} == model.done & set(emitters)
        for subscriber in list(model.next):
            subscribers[subscriber].job.cancel()
        await settled()
        assert all(job.is_completed for job in emitters.values())
        assert shared.subscription_count.value == 0
