"""Each operator over time, as lines of marbles: when the source fails, while somebody takes his time, at the end.

The lines of the docstrings show what an operator is for (``tests/test_docstrings.py`` plays them); these show what it does
where things get difficult. Each is compared twice: with what the flow does, and with what the drawing of it says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from anyio import sleep
from attrs import frozen

from flowsock import BufferOverflow, Flow, combine, combine_transform, empty_flow, flow_of, interval, merge
from flowsock.testing import Complete, Error, Item, assert_marbles, marble, marbles, observe
from tests.laws.operators import OPERATORS as LAWFUL
from tests.laws.operators import Operator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

Through: TypeAlias = Callable[[Flow[Any]], Flow[Any]]


@frozen
class Case:
    """A line that goes in, an operator, and the line that comes out."""

    operator: str
    line: str
    through: Through
    result: str


async def slowly(value: Any) -> Any:
    await sleep(2)
    return value


async def refuse_two(value: Any) -> Any:
    await sleep(1)
    if value == 2:
        raise ValueError(value)
    return value


async def emit_twice(emit: Callable[[Any], Any], value: Any) -> None:
    await emit(value)
    await sleep(2)
    await emit(value)


async def emit_until_two(emit: Callable[[Any], Any], value: Any) -> bool:
    await emit(value)
    await sleep(1)
    return bool(value != 2)


def say(value: Any) -> Callable[..., Any]:
    """Emit a value after a second, whatever else a callback gets."""

    async def act(emit: Callable[[Any], Any], *_rest: Any) -> Any:
        await sleep(1)
        await emit(value)
        return False

    return act


CASES = (
    Case("map", "-1--2--3|", lambda a: a.map(refuse_two), "--1--#"),
    Case("map_not_none", "-1--2--3-|", lambda a: a.map_not_none(lambda n: None if n == 2 else n), "-1-----3-|"),
    Case("map_concurrent", "-ab--c---|", lambda a: a.map_concurrent(slowly, limit=2), "---ab--c-|"),
    Case("map_latest", "-a--bc---|", lambda a: a.map_latest(slowly), "---a---c-|"),
    Case("filter", "-1--2--3|", lambda a: a.filter(refuse_two), "--1--#"),
    Case("filter_not", "-1-2-3-#", lambda a: a.filter_not(lambda n: n == 2), "-1---3-#"),
    Case("filter_is", "-1-a-2-#", lambda a: a.filter_is(int), "-1---2-#"),
    Case("filter_not_none", "-1-None-2-|", lambda a: a.filter_not_none(), "-1------2-|"),
    Case("transform", "-a---b---#", lambda a: a.transform(emit_twice), "-a-a-b-b-#"),
    Case("transform_latest", "-a---bc---|", lambda a: a.transform_latest(emit_twice), "-a-a-bc-c-|"),
    Case("on_each", "-1--2--3|", lambda a: a.on_each(refuse_two), "--1--#"),
    Case("with_index", "-a--b--#", lambda a: a.with_index().map(lambda pair: pair[0]), "-0--1--#"),
    Case("scan", "-a--b--#", lambda a: a.scan("p", lambda total, _value: chr(ord(total) + 1)), "pq--r--#"),
    Case("running_reduce", "-1--2--3|", lambda a: a.running_reduce(lambda total, n: total * n), "-1--2--6|"),
    Case("pairwise", "-1--2---3---#", lambda a: a.pairwise().map(sum), "----3---5---#"),
    Case("chunked", "-1-2-3--|", lambda a: a.chunked(2).map(sum), "---3----(3|)"),
    Case("chunked", "-1-2-----3|", lambda a: a.chunked(3, within=4).map(sum), "-----3----(3|)"),
    Case("distinct_until_changed", "-1-1-2-1-#", lambda a: a.distinct_until_changed(), "-1---2-1-#"),
    Case("distinct_until_changed_by", "-1-3-2-#", lambda a: a.distinct_until_changed_by(lambda n: n % 2), "-1---2-#"),
    Case("take", "-1-2-3-#", lambda a: a.take(2), "-1-(2|)"),
    Case("take_while", "-1-2-3-#", lambda a: a.take_while(lambda n: n < 2), "-1-|"),
    Case("transform_while", "-1--2--3-#", lambda a: a.transform_while(emit_until_two), "-1--2|"),
    Case("drop", "-1-2-3-#", lambda a: a.drop(2), "-----3-#"),
    Case("drop_while", "-1-2-1-#", lambda a: a.drop_while(lambda n: n < 2), "---2-1-#"),
    Case("buffer", "-abcde|", lambda a: a.buffer(1).on_each(lambda _value: sleep(3)), "----a--b--c--d--(e|)"),
    Case(
        "buffer",
        "-a-b-c-d---|",
        lambda a: a.buffer(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(lambda _value: sleep(5)),
        "------a----c----(d|)",
    ),
    Case(
        "buffer",
        "-a-b-c-d---|",
        lambda a: a.buffer(1, on_buffer_overflow=BufferOverflow.DROP_LATEST).on_each(lambda _value: sleep(5)),
        "------a----b----(d|)",
    ),
    Case("buffer", "-a-b-#", lambda a: a.buffer(4).on_each(lambda _value: sleep(3)), "----a#"),
    Case("conflate", "-a-b-c-|", lambda a: a.conflate().on_each(lambda _value: sleep(5)), "------a----(c|)"),
    Case("cancellable", "-1-2-#", lambda a: a.cancellable(), "-1-2-#"),
    Case("debounce", "-ab---c#", lambda a: a.debounce(2), "----b--#"),
    Case("sample", "-ab-cd-e|", lambda a: a.sample(3), "---b--d-|"),
    Case("timeout", "-a--b-----|", lambda a: a.timeout(4), "-a--b---#"),
    Case("throttle_first", "-ab-c-d-#", lambda a: a.throttle_first(3), "-a--c---#"),
    Case("rate_limit", "-(abc)---|", lambda a: a.rate_limit(1, per=3), "-a--b--c-|"),
    Case("zip_with", "-a--b--c|", lambda a: a.zip_with(interval(2), lambda one, _other: one), "--a-b--c|"),
    Case(
        "flat_map_concat",
        "-a-b----|",
        lambda a: a.flat_map_concat(lambda v: interval(2).take(2).map(lambda _n: v)),
        "---a-a-b-(b|)",
    ),
    Case("flat_map_merge", "-a--b----|", lambda a: a.flat_map_merge(lambda v: marbles(f"-{v}-{v}|")), "--a-ab-b-|"),
    Case("flat_map_latest", "-a-b----|", lambda a: a.flat_map_latest(lambda v: marbles(f"-{v}-{v}|")), "--a-b-b-|"),
    Case("flatten_concat", "-a-b-----|", lambda a: a.map(lambda v: marbles(f"-{v}-{v}|")).flatten_concat(), "--a-a-b-b|"),
    Case("flatten_merge", "-a-b-----|", lambda a: a.map(lambda v: marbles(f"--{v}#")).flatten_merge(), "---a#"),
    Case("start_with", "-a-#", lambda a: a.start_with("x"), "xa-#"),
    Case("on_start", "-a-#", lambda a: a.on_start(say("x")), "-xa-#"),
    Case("on_completion", "-a--|", lambda a: a.on_completion(say("x")), "-a---(x|)"),
    Case("on_completion", "-a--#", lambda a: a.on_completion(lambda _emit, _cause: sleep(1)), "-a---#"),
    Case("on_empty", "---|", lambda a: a.on_empty(say("x")), "----(x|)"),
    Case("on_empty", "---#", lambda a: a.on_empty(say("x")), "---#"),
    Case("catch", "-a-#", lambda a: a.catch(say("x")), "-a--(x|)"),
    Case("catch", "-1-2-#", lambda a: a.catch().map(refuse_two), "--1-#"),
    Case("retry", "-1-#", lambda a: a.retry(attempts=2), "-1--1--1-#"),
    Case("retry", "-1-2|", lambda a: a.retry(attempts=2).map(refuse_two), "--1-#"),
    Case("retry_when", "-a-#", lambda a: a.retry_when(say("x")), "-a--(x#)"),
    Case("merge", "-a---b--#", lambda a: merge(a, marbles("--c-d|")), "-ac-db--#"),
    Case("combine", "-1---2---|", lambda a: combine(a, marbles("--3|"), lambda one, two: one * two), "--3--6---|"),
    Case(
        "combine_transform",
        "-1---2---|",
        lambda a: combine_transform(a, marbles("--3-#"), lambda emit, one, two: emit(one + two)),
        "--4-#",
    ),
    Case("pipe", "-1-2-#", lambda a: a.pipe(lambda flow: flow.map(lambda n: n + 1)), "-2-3-#"),
    Case("flow_of", "-|", lambda _a: flow_of(1, 2), "(1 2|)"),
    Case("empty_flow", "-|", lambda _a: empty_flow(), "|"),
    Case("interval", "-|", lambda _a: interval(2, initial_delay=1).take(3), "-0-1-(2|)"),
)


def identified(case: Case) -> str:
    return f"{case.operator} {case.line}"


def test_the_lines_are_about_at_least_forty_operators() -> None:
    assert len({case.operator for case in CASES}) >= 40
    assert len({identified(case) for case in CASES} | {case.result for case in CASES}) > len(CASES)


@pytest.mark.parametrize("case", CASES, ids=identified)
async def test_an_operator_does_what_its_line_says(case: Case) -> None:
    await assert_marbles(case.through(marbles(case.line)), case.result)


@pytest.mark.parametrize("case", CASES, ids=identified)
async def test_the_drawing_of_an_operator_says_the_same(case: Case) -> None:
    flow = case.through(marbles(case.line))
    observed = await observe(flow)
    [*_above, last] = (await marble(flow)).rows
    drawn = [(mark.at, mark.event) for mark in last.marks]
    assert [at for at, _event in drawn] == [timed.at for timed in observed.events]
    for (_at, mark), timed in zip(drawn, observed.events, strict=True):
        assert type(mark) is type(timed.event)
        assert mark == timed.event or isinstance(mark, Error)


@pytest.mark.parametrize("operator", LAWFUL, ids=lambda operator: operator.name)
async def test_a_probe_changes_nothing(operator: Operator) -> None:
    flow = operator.apply(marbles("-1----2----3----|", tick=1.00021), lambda callback: callback)
    observed = await observe(flow)
    [*above, last] = (await marble(flow, seconds=1e4)).rows
    assert [(mark.at, mark.event) for mark in last.marks] == [(timed.at, timed.event) for timed in observed.events]
    assert Item(3) in [mark.event for mark in above[0].marks]
    assert above[0].marks[-1].event == Complete()
