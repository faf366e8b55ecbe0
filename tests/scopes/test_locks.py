"""anyio's locks and semaphores with our jobs: they are what flowsock has for ``Mutex`` and ``Semaphore``."""

from __future__ import annotations

import pytest
from anyio import Lock, Semaphore, WouldBlock, fail_after
from anyio.lowlevel import checkpoint

from flowsock import coroutine_scope
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def test_a_failing_block_unlocks() -> None:
    """Scenario mutex-02."""
    lock = Lock()
    with pytest.raises(ValueError, match="E"):
        async with lock:
            raise ValueError("E")
    assert not lock.locked()


async def test_a_lock_is_not_reentrant_and_says_so() -> None:
    """Scenario mutex-03; the owner is the task."""
    lock = Lock()
    async with lock:
        with pytest.raises(RuntimeError):
            lock.acquire_nowait()
        with pytest.raises(RuntimeError):
            await lock.acquire()


async def test_only_the_owner_unlocks() -> None:
    """Scenario mutex-04."""
    lock = Lock()
    refused: list[str] = []

    async def unlock() -> None:
        with pytest.raises(RuntimeError):
            lock.release()
        refused.append("other")

    async with lock:
        async with coroutine_scope() as scope:
            scope.launch(unlock)
        assert lock.locked()
    assert refused == ["other"]
    assert not lock.locked()
    with pytest.raises(RuntimeError):
        lock.release()


async def test_a_waiter_that_is_cancelled_when_it_gets_the_lock_gives_it_back() -> None:
    """Scenario mutex-05."""
    lock = Lock()
    async with coroutine_scope() as scope:

        async def wait() -> None:
            async with lock:
                await checkpoint()

        await lock.acquire()
        waiter = scope.launch(wait)
        await settled()
        lock.release()
        waiter.cancel()
        await waiter.join()
        assert not lock.locked()
    with fail_after(5):
        async with lock:
            pass


async def test_permits_go_to_the_waiters_in_order() -> None:
    """Scenario semaphore-01."""
    semaphore = Semaphore(1)
    order: list[int] = []

    async def wait(number: int) -> None:
        await semaphore.acquire()
        order.append(number)

    await semaphore.acquire()
    async with coroutine_scope() as scope:
        for number in range(2):
            scope.launch(wait, number)
            await settled()
        for expected in ([0], [0, 1]):
            semaphore.release()
            await settled()
            assert order == expected


async def test_cancelled_waiters_take_no_permit() -> None:
    """Scenario semaphore-03."""
    semaphore = Semaphore(1)
    await semaphore.acquire()
    async with coroutine_scope() as scope:
        first, second = (scope.launch(semaphore.acquire) for _ in range(2))
        await settled()
        second.cancel()
        first.cancel()
    assert semaphore.value == 0
    semaphore.release()
    assert semaphore.value == 1


async def test_no_more_permits_are_released_than_there_are() -> None:
    """Scenario semaphore-04."""
    semaphore = Semaphore(1, max_value=5)
    for _ in range(4):
        semaphore.release()
    with pytest.raises(ValueError, match="released"):
        semaphore.release()
    assert semaphore.value == 5
    for _ in range(5):
        semaphore.acquire_nowait()
    with pytest.raises(WouldBlock):
        semaphore.acquire_nowait()


@pytest.mark.parametrize(("initial", "maximum"), [(-1, None), (1, 0), (2, 1)])
def test_permits_are_checked(initial: int, maximum: int | None) -> None:
    """Scenario semaphore-05; anyio allows a semaphore that has no permit yet."""
    with pytest.raises(ValueError, match="value"):
        Semaphore(initial, max_value=maximum)
