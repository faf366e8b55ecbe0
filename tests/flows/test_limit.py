"""Operators that let only a part of the values pass, by their position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowsock import Emitter, Flow, flow_of
from flowsock.testing import assert_marbles, marbles
from tests.turns import a_while

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


def slowly(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def later(value: Any) -> Any:
        await a_while()
        return function(value)

    return later


SYNC_AND_ASYNC = pytest.mark.parametrize("made", [lambda function: function, slowly], ids=["sync", "async"])


async def test_take_and_drop() -> None:
    values = flow_of(1, 2, 3)
    for count, taken, dropped in ((1, [1], [2, 3]), (2, [1, 2], [3]), (3, [1, 2, 3], []), (9, [1, 2, 3], [])):
        assert await values.take(count).to_list() == taken
        assert await values.drop(count).to_list() == dropped
    assert await values.drop(0).to_list() == [1, 2, 3]


@pytest.mark.usefixtures("virtual_clock")
async def test_the_upstream_is_left_with_the_last_value_that_is_taken() -> None:
    source = marbles("-a-b-c|")
    await assert_marbles(source.take(2), "-a-(b|)")
    await assert_marbles(source.take_while(lambda value: value < "b"), "-a-|")
    await assert_marbles(source.take(3), "-a-b-(c|)")
    await assert_marbles(source.drop(1), "---b-c|")
    assert source.lines == ["-a-(b!)", "-a-(b!)", "-a-b-(c!)", "-a-b-c|"]


def test_counts_are_checked_when_the_operator_is_applied() -> None:
    """Scenario limit-02."""
    for count in (0, -1):
        with pytest.raises(ValueError, match="take"):
            flow_of(1).take(count)
    with pytest.raises(ValueError, match="drop"):
        flow_of(1).drop(-1)


@SYNC_AND_ASYNC
async def test_take_while_and_drop_while(made: Callable[..., Any]) -> None:
    """Scenarios limit-08 and limit-15."""
    values = flow_of(1, 2, 3, 1)
    assert await values.take_while(made(lambda _value: True)).to_list() == [1, 2, 3, 1]
    assert await values.take_while(made(lambda value: value < 3)).to_list() == [1, 2]
    assert await values.drop(1).take_while(made(lambda value: value < 2)).to_list() == []
    assert await values.drop_while(made(lambda _value: False)).to_list() == [1, 2, 3, 1]
    assert await values.drop_while(made(lambda _value: True)).to_list() == []
    assert await values.drop_while(made(lambda value: value < 3)).to_list() == [3, 1]


@SYNC_AND_ASYNC
async def test_drop_while_stops_asking_after_the_first_value_it_let_pass(made: Callable[..., Any]) -> None:
    asked: list[int] = []

    def ask(value: int) -> bool:
        asked.append(value)
        return value < 2

    await flow_of(1, 2, 3, 4).drop_while(made(ask)).collect()
    assert asked == [1, 2]


async def test_transform_while_emits_up_to_the_value_that_ends_it() -> None:
    """Scenario limit-12."""

    async def up_to_100(emit: Emitter[int], progress: int) -> bool:
        await emit(progress)
        return progress < 100

    limited: Flow[int] = flow_of(0, 50, 100, 147).transform_while(up_to_100)
    assert await limited.to_list() == await limited.to_list() == [0, 50, 100]
    seen: list[int] = []
    await flow_of(1, 2, 3).on_each(seen.append).transform_while(lambda _emit, value: value < 2).collect()
    assert seen == [1, 2]
    assert await limited.take(1).to_list() == [0]


async def test_each_collection_counts_afresh() -> None:
    """Rule G1."""
    for limited in (flow_of(1, 2, 3).take(2), flow_of(1, 2, 3).take_while(lambda value: value < 3), flow_of(0, 1, 2).drop(1)):
        assert await limited.to_list() == await limited.to_list() == [1, 2]
    rest = flow_of(1, 2, 1).drop_while(lambda value: value < 2)
    assert await rest.to_list() == await rest.to_list() == [2, 1]


async def test_a_limit_waits_for_the_handler_of_its_last_value() -> None:
    log: list[int] = []
    await flow_of(1, 2, 3).take(2).collect(slowly(log.append))
    assert log == [1, 2]


async def test_a_failing_handler_of_the_last_value_fails_the_flow() -> None:
    def explode(_value: int) -> None:
        raise ValueError("last")

    for handler in (explode, slowly(explode)):
        with pytest.raises(ValueError, match="last"):
            await flow_of(1, 2).take(1).collect(handler)
