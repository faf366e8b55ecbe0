"""Terminal operators: they collect a flow and give one result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, create_task_group, fail_after, sleep_forever

from flowsock import MutableSharedFlow, NoSuchElement, coroutine_scope, empty_flow, flow, flow_of
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


def slowly(function: Callable[..., Any]) -> Callable[..., Any]:
    async def later(*arguments: Any) -> Any:
        await a_while()
        return function(*arguments)

    return later


SYNC_AND_ASYNC = pytest.mark.parametrize("made", [lambda function: function, slowly], ids=["sync", "async"])


@flow
async def one_then_error() -> AsyncIterator[int]:
    yield 1
    raise ValueError("upstream")


@SYNC_AND_ASYNC
async def test_collect(made: Callable[..., Any]) -> None:
    seen: list[int | None] = []
    await flow_of(1, None, 2).collect(made(seen.append))
    assert seen == [1, None, 2]
    await flow_of(1).collect()
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().collect(made(seen.append))
    assert seen == [1, None, 2, 1]


@SYNC_AND_ASYNC
async def test_first(made: Callable[..., Any]) -> None:
    """Scenarios terminal-02 and terminal-06."""
    values = flow_of(None, 1)
    assert await values.first() is None
    assert await values.first(made(lambda value: value is None)) is None
    assert await values.first(made(lambda value: value is not None)) == 1
    assert await values.first(made(lambda value: value == 2), default="none") == "none"
    assert await empty_flow().first(default=None) is None
    for missing in (
        empty_flow().first(),
        empty_flow().first(made(lambda _value: True)),
        values.first(made(lambda value: value == 2)),
    ):
        with pytest.raises(NoSuchElement):
            await missing


async def test_first_cancels_what_the_upstream_runs_before_it_returns() -> None:
    """Scenarios terminal-03 and terminal-04."""
    log: list[str] = []
    latch = Event()

    async def hang() -> None:
        latch.set()
        try:
            await sleep_forever()
        finally:
            log.append("cancelled")

    @flow
    async def source() -> AsyncIterator[int]:
        async with create_task_group() as group:
            group.start_soon(hang)
            yield 1
            yield 2

    async def when_it_runs(_value: int) -> bool:
        await latch.wait()
        return True

    async def fail(_value: int) -> bool:
        await latch.wait()
        raise ValueError("predicate")

    with fail_after(5):
        assert await source().first(when_it_runs) == 1
        assert log == ["cancelled"]
        with pytest.raises(ValueError, match="predicate"):
            await source().first(fail)
        assert log == ["cancelled"] * 2
        assert await source().first() == 1


async def test_a_missing_element_is_a_lookup_error() -> None:
    with pytest.raises(LookupError, match="first"):
        await empty_flow().first()
    with pytest.raises(LookupError, match="last"):
        await empty_flow().last()


async def test_last() -> None:
    """Scenarios terminal-15 and terminal-16."""
    assert await flow_of(None, 1).last() == 1
    assert await flow_of(1, None).last() is None
    assert await flow_of(1, None).last(default=5) is None
    assert await empty_flow().last(default=None) is None
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().last()


async def test_to_list_and_to_set() -> None:
    assert await flow_of(1, None, 1).to_list() == [1, None, 1]
    assert await flow_of(1, None, 1).to_set() == {1, None}
    destination = [0]
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().to_list(destination)
    assert destination == [0, 1]
    assert await flow_of(2).to_list(destination) is destination
    assert destination == [0, 1, 2]


@SYNC_AND_ASYNC
async def test_fold(made: Callable[..., Any]) -> None:
    """Scenario terminal-17."""
    assert await empty_flow().fold(42, made(lambda total, value: total + value)) == 42
    assert await flow_of(1, 2, 3).fold("", made(lambda text, value: f"{text}{value}")) == "123"
    assert await flow_of(1, None).fold(0, made(lambda _total, value: value)) is None
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().fold(0, made(lambda total, value: total + value))


@SYNC_AND_ASYNC
async def test_count(made: Callable[..., Any]) -> None:
    assert await flow_of(None, 0, 1).count() == 3
    assert await flow_of(0, 1, 2, 3).count(made(lambda value: value % 2)) == 2
    assert await empty_flow().count() == 0


async def test_launch_in_collects_in_a_job_whose_failure_is_the_scopes() -> None:
    """Scenario terminal-30."""
    seen: list[int] = []
    handled: list[Exception] = []

    def explode(_emit: object, _cause: object) -> None:
        raise ValueError("completion")

    with pytest.raises(ValueError, match="completion"), fail_after(5):
        async with coroutine_scope() as scope:
            job = (
                flow_of(1)
                .on_each(seen.append)
                .catch(lambda _emit, error: handled.append(error))
                .on_completion(explode)
                .launch_in(scope, name="launched")
            )
            assert seen == []  # it starts at its first turn
            assert job.name == "launched"
            await sleep_forever()
    assert seen == [1]
    assert handled == []


async def test_collecting_a_shared_flow_never_ends_by_itself() -> None:
    shared = MutableSharedFlow[int](replay=1)
    shared.emit_nowait(1)
    async with coroutine_scope() as scope:
        jobs = [scope.launch(shared.collect), scope.launch(shared.to_list), scope.launch(shared.last)]
        await settled()
        assert all(job.is_active for job in jobs)
        scope.cancel()


def test_a_flow_tells_what_it_is() -> None:
    assert repr(flow_of(1).map(str).take(2)) == "<Flow over Take>"
