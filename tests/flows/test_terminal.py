"""Terminal operators: they collect a flow and give one result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, create_task_group, fail_after, sleep_forever

from flowsock import Flow, MutableSharedFlow, NoSuchElement, coroutine_scope, empty_flow, flow, flow_of
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
    with pytest.raises(NoSuchElement, match="last"):
        await empty_flow().last()
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


@SYNC_AND_ASYNC
async def test_reduce(made: Callable[..., Any]) -> None:
    assert await flow_of(1, 2, 3).reduce(made(lambda total, value: total + value)) == 6
    nothing: Flow[object] = flow_of(None)
    assert await nothing.reduce(made(lambda _total, _value: pytest.fail("called"))) is None
    assert await nothing.start_with(None).reduce(made(lambda total, value: (total, value))) == (None, None)
    with pytest.raises(NoSuchElement, match="reduce"):
        await empty_flow().reduce(made(lambda total, _value: total))
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().reduce(made(lambda total, _value: total))


async def test_single() -> None:
    """Scenarios terminal-11 and terminal-14."""
    nothing: Flow[int | None] = flow_of(None)
    assert await nothing.single() is None
    assert await nothing.single(default=1) is None
    assert await empty_flow().single(default=None) is None
    with pytest.raises(NoSuchElement, match="single"):
        await empty_flow().single()
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().single(default=None)


async def test_single_stops_at_the_second_value() -> None:
    """Scenario terminal-12."""

    @flow
    async def two_then_hang() -> AsyncIterator[int]:
        yield 1
        yield 2
        await sleep_forever()

    with fail_after(5):
        assert await two_then_hang().single(default=None) is None
        with pytest.raises(ValueError, match="more than the one"):
            await two_then_hang().single()


@SYNC_AND_ASYNC
async def test_any_all_and_none(made: Callable[..., Any]) -> None:
    values = flow_of(1, 2, 3)
    assert await values.any(made(lambda value: value > 2))
    assert not await values.any(made(lambda value: value > 3))
    assert await values.all(made(lambda value: value > 0))
    assert not await values.all(made(lambda value: value > 1))
    assert await values.none(made(lambda value: value > 3))
    assert not await values.none(made(lambda value: value > 2))
    always = made(lambda _value: True)
    assert [await empty_flow().any(always), await empty_flow().all(always), await empty_flow().none(always)] == [
        False,
        True,
        True,
    ]


async def test_any_all_and_none_stop_the_flow_when_they_know() -> None:
    """Scenarios terminal-26 and terminal-28."""

    @flow
    async def fives() -> AsyncIterator[int]:
        while True:
            yield 5

    @flow
    async def one_and_two() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise AssertionError("not reached")

    with fail_after(5):
        assert await fives().any(lambda value: value == 5)
        assert not await fives().all(lambda value: value == 0)
        assert not await fives().none(lambda value: value == 5)
        assert not await one_and_two().all(lambda value: value <= 1)


@SYNC_AND_ASYNC
async def test_to_dict_and_group_by(made: Callable[..., Any]) -> None:
    """Scenario terminal-23."""
    names = flow_of("Grace Hopper", "Jacob Bernoulli", "Johann Bernoulli")
    by_last = await names.to_dict(made(lambda name: (name.split()[1], name.split()[0])))
    assert list(by_last.items()) == [("Hopper", "Grace"), ("Bernoulli", "Johann")]
    groups = await names.group_by(made(lambda name: name.split()[1]))
    assert list(groups.items()) == [("Hopper", ["Grace Hopper"]), ("Bernoulli", ["Jacob Bernoulli", "Johann Bernoulli"])]
    assert await empty_flow().to_dict(made(lambda value: (value, value))) == {}
    assert await empty_flow().group_by(made(lambda value: value)) == {}


@SYNC_AND_ASYNC
async def test_collect_indexed(made: Callable[..., Any]) -> None:
    """Scenario transform-09."""
    seen: list[tuple[int, str]] = []
    for _ in range(2):
        await flow_of("a", "b").collect_indexed(made(lambda index, value: seen.append((index, value))))
    await empty_flow().collect_indexed(made(lambda _index, _value: pytest.fail("called")))
    assert seen == [(0, "a"), (1, "b")] * 2


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
