"""Sleeping tasks: woken from plain code, cancelled at any moment."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, create_task_group
from anyio.lowlevel import checkpoint

from flowsock.parking import Sleeper, WaitingRoom, handovers, new_sleeper
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.anyio


class Parked:
    """One task that sleeps, and what happened to it."""

    def __init__(self, on_cancel: Callable[[], object] | None = None) -> None:
        self.log: list[str] = []
        self.scope = CancelScope()
        self.sleeper: Sleeper | None = None
        self._on_cancel = on_cancel or (lambda: self.log.append("on_cancel"))

    async def run(self) -> None:
        with self.scope:
            self.sleeper = new_sleeper(self._on_cancel)
            await self.sleeper
            self.log.append("woken")
            await checkpoint()
            self.log.append("went on")
        if self.scope.cancelled_caught:
            self.log.append("cancelled")

    def wake(self) -> None:
        assert self.sleeper is not None
        self.sleeper.wake()


async def test_a_sleeper_sleeps_until_it_is_woken() -> None:
    parked = Parked()
    async with create_task_group() as tasks:
        tasks.start_soon(parked.run)
        await settled()
        assert parked.log == []
        parked.wake()
        assert parked.log == [], "the task runs at its next turn, not in place"
    assert parked.log == ["woken", "went on"]


async def test_a_sleeper_that_was_woken_before_it_was_awaited_does_not_sleep() -> None:
    sleeper = new_sleeper(ignore_call)
    sleeper.wake()
    await sleeper


def ignore_call() -> None:
    raise AssertionError("nobody cancels here")


async def test_waking_twice_does_nothing() -> None:
    parked = Parked()
    async with create_task_group() as tasks:
        tasks.start_soon(parked.run)
        await settled()
        parked.wake()
        parked.wake()
        await settled()
        parked.wake()
    assert parked.log == ["woken", "went on"]


async def test_the_callback_runs_at_the_moment_of_the_cancellation() -> None:
    parked = Parked()
    async with create_task_group() as tasks:
        tasks.start_soon(parked.run)
        await settled()
        parked.scope.cancel()
        assert parked.log == ["on_cancel"]
        parked.wake()
    assert parked.log == ["on_cancel", "cancelled"]


async def test_waking_wins_against_a_later_cancellation() -> None:
    parked = Parked()
    async with create_task_group() as tasks:
        tasks.start_soon(parked.run)
        await settled()
        parked.wake()
        parked.scope.cancel()
    assert parked.log == ["woken", "cancelled"]


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.handover = handovers()()
        self.handover.owner = self

    def cancelled(self, *given: object) -> None:
        self.log.append(("cancelled", *given))


@pytest.mark.parametrize("given", [(), (7,), (None,)])
async def test_a_handover_loses_against_a_later_cancellation_and_tells_what_it_was_given(given: tuple[int | None, ...]) -> None:
    scope = CancelScope()
    owner = Owner()

    async def sleep() -> None:
        with scope:
            await owner.handover
            owner.log.append("woken")
        owner.log.append("through")

    async with create_task_group() as tasks:
        tasks.start_soon(sleep)
        await settled()
        for value in given:
            owner.handover.give(value)
        scope.cancel()
    assert owner.log == [("cancelled", *given), "through"]
    assert scope.cancelled_caught


async def test_a_handover_that_failed_loses_against_a_later_cancellation_too() -> None:
    scope = CancelScope()
    owner = Owner()

    async def sleep() -> None:
        with scope:
            await owner.handover

    async with create_task_group() as tasks:
        tasks.start_soon(sleep)
        await settled()
        owner.handover.fail(ValueError("too late"))
        scope.cancel()
    assert scope.cancelled_caught


async def test_a_handover_ends_with_what_it_was_given() -> None:
    given, failed = Owner(), Owner()
    log: list[object] = []

    async def sleep() -> None:
        log.append(await given.handover)
        with pytest.raises(ValueError, match="why not"):
            await failed.handover
        log.append("failed")

    async with create_task_group() as tasks:
        tasks.start_soon(sleep)
        await settled()
        assert log == []
        given.handover.give(7)
        await settled()
        assert log == [7]
        failed.handover.fail(ValueError("why not"))
    assert log == [7, "failed"]
    assert given.log == failed.log == []


async def test_sleeping_in_a_cancelled_scope_is_cancelled_and_tells() -> None:
    parked = Parked()
    parked.scope.cancel()
    await parked.run()
    assert parked.log == ["on_cancel", "cancelled"]


async def test_a_callback_may_wake_somebody_else() -> None:
    other = Parked()
    parked = Parked(on_cancel=other.wake)
    async with create_task_group() as tasks:
        tasks.start_soon(other.run)
        tasks.start_soon(parked.run)
        await settled()
        parked.scope.cancel()
    assert other.log == ["woken", "went on"]


@pytest.fixture
def no_automatic_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_automatic_collection")
@pytest.mark.parametrize("end", ["wake", "cancel"])
async def test_a_finished_sleep_leaves_no_cycle_behind(end: str) -> None:
    class Owner:
        """Refers to its sleeper, which refers to it: what every user of a sleeper looks like."""

        alive = 0

        def __init__(self) -> None:
            Owner.alive += 1
            self.scope = CancelScope()
            self.sleeper: Sleeper | None = None

        def __del__(self) -> None:
            Owner.alive -= 1

        def told(self) -> None: ...

        async def sleep(self) -> None:
            with self.scope:
                self.sleeper = new_sleeper(self.told)
                await self.sleeper

        def end(self) -> None:
            if end == "cancel":
                self.scope.cancel()
            elif self.sleeper is not None:
                self.sleeper.wake()

    async with create_task_group() as tasks:
        owner = Owner()
        tasks.start_soon(owner.sleep)
        await settled()
        owner.end()
        del owner
        await settled()
        assert Owner.alive == 0


async def test_everybody_in_a_waiting_room_is_woken_at_once() -> None:
    room = WaitingRoom()
    woken: list[int] = []

    async def wait(number: int) -> None:
        await room.sleep()
        woken.append(number)

    async with create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(wait, number)
        await settled()
        assert woken == []
        room.wake_all()
    assert sorted(woken) == [0, 1, 2]


async def test_who_enters_a_waiting_room_after_the_call_waits_for_the_next_one() -> None:
    room = WaitingRoom()
    room.wake_all()
    woken: list[int] = []

    async def wait_twice() -> None:
        for number in range(2):
            await room.sleep()
            woken.append(number)

    async with create_task_group() as tasks:
        tasks.start_soon(wait_twice)
        await settled()
        assert woken == []
        room.wake_all()
        await settled()
        assert woken == [0]
        room.wake_all()
    assert woken == [0, 1]


async def test_who_is_cancelled_leaves_the_waiting_room() -> None:
    room = WaitingRoom()
    woken: list[str] = []

    async def wait(scope: CancelScope, name: str) -> None:
        with scope:
            await room.sleep()
            woken.append(name)

    cancelled, other = CancelScope(), CancelScope()
    async with create_task_group() as tasks:
        tasks.start_soon(wait, cancelled, "cancelled")
        tasks.start_soon(wait, other, "other")
        await settled()
        cancelled.cancel()
        room.wake_all()
    assert woken == ["other"]


async def test_waking_and_cancelling_everybody_in_the_same_step_wakes_them() -> None:
    room = WaitingRoom()
    woken: list[str] = []
    scope = CancelScope()

    async def wait() -> None:
        with scope:
            await room.sleep()
            woken.append("woken")

    async with create_task_group() as tasks:
        tasks.start_soon(wait)
        await settled()
        room.wake_all()
        scope.cancel()
    assert woken == ["woken"]
