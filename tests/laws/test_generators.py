"""Law of generators: a `yield` in `async with` cleans up in its own task, once, in order; the consumer's error survives."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from anyio import (
    CancelScope,
    create_task_group,
    current_time,
    fail_after,
    get_cancelled_exc_class,
    get_current_task,
    move_on_after,
    sleep,
    sleep_forever,
)

from flowsock import Flow, MutableSharedFlow, as_flow, coroutine_scope, flow, merge
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left_to_the_garbage_collector")]


class Log:
    """What happened, and in which tasks."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.tasks: set[int] = set()

    def __call__(self, event: str) -> None:
        self.events.append(event)
        self.tasks.add(get_current_task().id)

    @asynccontextmanager
    async def resource(self, name: str) -> AsyncIterator[None]:
        self(f"open {name}")
        try:
            yield
        finally:
            with CancelScope(shield=True):
                await a_while()
            self(f"close {name}")

    @flow
    async def values(self, count: int = 3) -> AsyncIterator[int]:
        async with self.resource("a"), self.resource("b"), create_task_group() as group:
            group.start_soon(sleep_forever)
            for value in range(count):
                yield value
            group.cancel_scope.cancel()


OPENED = ["open a", "open b"]
CLOSED = ["close b", "close a"]


async def test_a_normal_end_closes_in_order() -> None:
    log = Log()
    assert await Log.values(log).to_list() == [0, 1, 2]
    assert log.events == OPENED + CLOSED
    assert log.tasks == {get_current_task().id}


@pytest.mark.parametrize("stop", [lambda flow: flow.first(), lambda flow: flow.take(1).last()])
async def test_an_early_stop_closes_in_order_in_the_same_task(stop: Callable[[Flow[int]], Any]) -> None:
    log = Log()
    assert await stop(Log.values(log)) == 0
    assert log.events == OPENED + CLOSED
    assert log.tasks == {get_current_task().id}


async def test_the_consumers_exception_survives() -> None:
    log = Log()
    error = ValueError("consumer")

    def explode(_value: int) -> None:
        raise error

    with pytest.raises(ValueError, match="consumer") as raised:
        await Log.values(log).collect(explode)
    assert raised.value is error
    assert log.events == OPENED + CLOSED
    assert log.tasks == {get_current_task().id}


async def test_the_consumers_exception_is_not_thrown_into_the_generator() -> None:
    caught: list[BaseException] = []

    @flow
    async def nosy() -> AsyncIterator[int]:
        try:
            yield 1
        except Exception as error:
            caught.append(error)

    def explode(_value: int) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await nosy().collect(explode)
    assert caught == []


async def test_a_cancellation_closes_in_order_while_the_consumer_holds_a_value() -> None:
    log = Log()

    async def hold(_value: int) -> None:
        await sleep_forever()

    async with coroutine_scope() as scope:
        job = scope.launch(Log.values(log).collect, hold)
        await settled()
        assert log.events == OPENED
        with fail_after(5):
            await job.cancel_and_join()
    assert log.events == OPENED + CLOSED
    assert len(log.tasks) == 1


async def test_a_cancellation_reaches_the_generator_where_it_stands() -> None:
    seen: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        except get_cancelled_exc_class():
            seen.append("cancelled")
            raise

    async def hold(_value: int) -> None:
        await sleep_forever()

    async with coroutine_scope() as scope:
        job = scope.launch(source().collect, hold)
        await settled()
        with fail_after(5):
            await job.cancel_and_join()
    assert seen == ["cancelled"]


async def test_as_a_child_the_generator_closes_in_its_own_task() -> None:
    for concurrent in (lambda flow: flow.buffer(1), lambda flow: merge(flow), lambda flow: flow.conflate()):
        log = Log()
        assert await concurrent(Log.values(log)).first() == 0
        assert log.events == OPENED + CLOSED
        assert len(log.tasks) == 1
    log = Log()
    async with Log.values(log).open() as items:
        async for _item in items:
            break
    assert log.events == OPENED + CLOSED
    assert len(log.tasks) == 1


@pytest.mark.usefixtures("virtual_clock")
async def test_a_timeout_inside_the_generator_strikes_while_the_consumer_holds_the_value() -> None:
    log = Log()

    @flow
    async def impatient() -> AsyncIterator[int]:
        async with log.resource("a"):
            with move_on_after(2):
                yield 1
                log("not reached")
            log("moved on")
        yield 2

    seen: list[tuple[int, float]] = []
    start = current_time()

    async def hold(value: int) -> None:
        if value == 1:
            try:
                await sleep(10)
            finally:
                log("let go")
        seen.append((value, round(current_time() - start, 3)))

    await impatient().collect(hold)
    assert log.events == ["open a", "let go", "moved on", "close a"]
    assert seen == [(2, 2)]


@pytest.mark.usefixtures("virtual_clock")
async def test_a_failing_timeout_comes_out_as_itself_and_outer_timeouts_go_on_working() -> None:
    @flow
    async def impatient() -> AsyncIterator[int]:
        with fail_after(2):
            yield 1

    async def hold(_value: int) -> None:
        await sleep(10)

    start = current_time()
    with pytest.raises(TimeoutError):
        await impatient().collect(hold)
    assert current_time() - start == pytest.approx(2)
    with move_on_after(1) as outer:
        await impatient().collect(hold)
    assert outer.cancelled_caught
    assert current_time() - start == pytest.approx(3)
    await sleep(1)  # nothing of the cancellation is left


async def test_a_failing_child_of_the_generator_reaches_the_consumer_that_holds_a_value() -> None:
    log = Log()

    @flow
    async def source() -> AsyncIterator[int]:
        async with log.resource("a"), coroutine_scope() as scope:
            scope.launch(fail_soon)
            yield 1

    async def fail_soon() -> None:
        await a_while()
        raise ValueError("child")

    async def hold(_value: int) -> None:
        try:
            await sleep_forever()
        finally:
            log("let go")

    with pytest.raises(ValueError, match="child"), fail_after(5):
        await source().collect(hold)
    assert log.events == ["open a", "let go", "close a"]
    handled: list[Exception] = []
    with fail_after(5):
        await source().catch(lambda _emit, error: handled.append(error)).collect(hold)
    assert [str(error) for error in handled] == ["child"]


async def test_cleaning_up_may_wait_after_the_consumers_failure() -> None:
    log = Log()

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await a_while()
            log("cleaned up")

    def explode(_value: int) -> None:
        raise ValueError("consumer")

    with pytest.raises(ValueError, match="consumer"):
        await source().collect(explode)
    assert log.events == ["cleaned up"]


async def test_an_error_while_cleaning_up_comes_out_with_the_consumers_as_its_cause() -> None:
    @flow
    async def source() -> AsyncIterator[int]:
        async with create_task_group() as group:
            group.start_soon(sleep_forever)
            try:
                yield 1
            finally:
                raise KeyError("cleaning up")

    def explode(_value: int) -> None:
        raise ValueError("consumer")

    with pytest.raises(KeyError) as raised:
        await source().collect(explode)
    assert isinstance(raised.value.__cause__, ValueError)


async def test_the_generator_runs_anew_for_each_collection() -> None:
    """Scenario builders-04."""
    log = Log()
    values = Log.values(log, 2)
    assert await values.to_list() == await values.to_list() == [0, 1]
    assert log.events == (OPENED + CLOSED) * 2


async def test_a_generator_over_a_shared_flow_unsubscribes_when_it_is_stopped() -> None:
    shared = MutableSharedFlow[int]()

    @flow
    async def doubled() -> AsyncIterator[int]:
        async for value in shared:
            yield 2 * value

    async with coroutine_scope() as scope:
        job = scope.launch(doubled().first)
        await settled()
        shared.emit_nowait(1)
        with fail_after(5):
            assert await job == 2
        assert shared.subscription_count.value == 0


async def test_an_async_iterator_that_was_given_is_not_closed() -> None:
    """Law of `as_flow`: an iterator gives what is left of it; who made it closes it."""

    async def generate() -> AsyncGenerator[int, None]:
        for value in range(5):
            yield value

    iterator = generate()
    assert await as_flow(iterator).take(2).to_list() == [0, 1]
    assert await as_flow(iterator).first() == 2
    assert await as_flow(iterator).to_list() == [3, 4]
    assert await as_flow(iterator).to_list() == []


async def test_an_async_iterable_is_iterated_anew_and_its_iterator_closed() -> None:
    closed: list[str] = []

    class Iterable:
        async def __aiter__(self) -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                closed.append("closed")

    assert await as_flow(Iterable()).to_list() == [1, 2]
    assert await as_flow(Iterable()).first() == 1
    assert closed == ["closed", "closed"]
