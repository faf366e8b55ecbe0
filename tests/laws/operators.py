"""Every operator, in one table: the laws that hold for all of them are proved over it.

Each operator is applied so that it lets the values 1, 2, 3, … pass as they are. Its callback, if it has one, is made by the
test out of the one given here: as it is, made asynchronous, or one that fails.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Any, TypeAlias

from attrs import frozen

from flowsock import (
    BufferOverflow,
    Flow,
    as_flow,
    combine,
    combine_transform,
    empty_flow,
    flow_of,
    merge,
)
from tests.turns import a_while

Through: TypeAlias = Callable[[Flow[int]], Flow[int]]
Made: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

MOMENT = 0.0005
"""Seconds that an operator over the clock is given; the sources of the laws take longer from value to value."""


def plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def slowly(function: Callable[..., Any]) -> Callable[..., Any]:
    async def later(*arguments: Any) -> Any:
        await a_while()
        result = function(*arguments)
        return await result if hasattr(result, "__await__") else result

    return later


class Asks(Enum):
    """When an operator calls its callback."""

    NEVER = "it has none"
    VALUE = "for each value"
    SECOND = "for each value but the first"
    START = "before the source starts"
    END = "after the source ended"
    FAILURE = "when the source failed"
    EMPTINESS = "when the source ended without a value"


@frozen
class Operator:
    """One operator.

    Attributes:
        method: Its name in `Flow`, or in the package.
        apply: Applies it, given what makes its callback.
        asks: When it calls its callback.
        waits: Whether the callback may be asynchronous.
        ahead: How many values the source may get rid of while the collector holds the first.
        lossy: Whether it drops values that come too fast, whatever the collector does.
        label: What tells it from others of the same name.
    """

    method: str
    apply: Callable[[Flow[int], Made], Flow[int]]
    asks: Asks = Asks.NEVER
    waits: bool = True
    ahead: float = 0
    lossy: bool = False
    label: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.label}".strip()

    def through(self, made: Made = plainly) -> Through:
        return lambda flow: self.apply(flow, made)


class Caught(Exception):
    """What `catch` and `retry` are told to handle."""


async def emitting_true(emit: Callable[[int], Any], value: int) -> bool:
    await emit(value)
    return True


FOREVER = as_flow(range(10**9))
ROOM = 64  # what an operator with a channel of its own has, unless a buffer below it says otherwise

OPERATORS = (
    Operator("map", lambda flow, made: flow.map(made(lambda value: value)), Asks.VALUE),
    Operator("map_not_none", lambda flow, made: flow.map_not_none(made(lambda value: value)), Asks.VALUE),
    Operator("filter", lambda flow, made: flow.filter(made(lambda _value: True)), Asks.VALUE),
    Operator("filter_not", lambda flow, made: flow.filter_not(made(lambda _value: False)), Asks.VALUE),
    Operator("filter_is", lambda flow, _made: flow.filter_is(int)),
    Operator("filter_not_none", lambda flow, _made: flow.filter_not_none()),
    Operator("transform", lambda flow, made: flow.transform(made(lambda emit, value: emit(value))), Asks.VALUE),
    Operator("on_each", lambda flow, made: flow.on_each(made(lambda _value: None)), Asks.VALUE),
    Operator("with_index", lambda flow, _made: flow.with_index().map(lambda pair: pair[1])),
    Operator("scan", lambda flow, made: flow.scan(0, made(lambda _old, value: value)).drop(1), Asks.VALUE),
    Operator("running_reduce", lambda flow, made: flow.running_reduce(made(lambda _old, value: value)), Asks.SECOND),
    Operator("pairwise", lambda flow, _made: flow.start_with(0).pairwise().map(lambda pair: pair[1])),
    Operator("chunked", lambda flow, _made: flow.chunked(1).map(lambda chunk: chunk[0])),
    Operator(
        "chunked", lambda flow, _made: flow.chunked(1, within=MOMENT).map(lambda chunk: chunk[0]), ahead=1, label="in time"
    ),
    Operator("start_with", lambda flow, _made: flow.start_with(0).filter(lambda value: value > 0)),
    Operator(
        "distinct_until_changed",
        lambda flow, made: flow.distinct_until_changed(made(lambda old, new: old == new)),
        Asks.SECOND,
        waits=False,
    ),
    Operator(
        "distinct_until_changed_by",
        lambda flow, made: flow.distinct_until_changed_by(made(lambda value: value)),
        Asks.VALUE,
        waits=False,
    ),
    Operator("take", lambda flow, _made: flow.take(1000)),
    Operator("take_while", lambda flow, made: flow.take_while(made(lambda _value: True)), Asks.VALUE),
    Operator("transform_while", lambda flow, made: flow.transform_while(made(emitting_true)), Asks.VALUE),
    Operator("drop", lambda flow, _made: flow.start_with(0).drop(1)),
    Operator("drop_while", lambda flow, made: flow.drop_while(made(lambda value: value < 1)), Asks.VALUE),
    Operator("buffer", lambda flow, _made: flow.buffer(3), ahead=4),
    Operator("buffer", lambda flow, _made: flow.buffer(0), ahead=1, label="without room"),
    Operator(
        "buffer",
        lambda flow, _made: flow.buffer(3, on_buffer_overflow=BufferOverflow.DROP_OLDEST),
        ahead=inf,
        label="drop oldest",
    ),
    Operator(
        "buffer",
        lambda flow, _made: flow.buffer(3, on_buffer_overflow=BufferOverflow.DROP_LATEST),
        ahead=inf,
        label="drop latest",
    ),
    Operator("conflate", lambda flow, _made: flow.conflate(), ahead=inf),
    Operator("cancellable", lambda flow, _made: flow.cancellable()),
    Operator("debounce", lambda flow, _made: flow.debounce(MOMENT), ahead=1, lossy=True),
    Operator(
        "debounce",
        lambda flow, made: flow.debounce(made(lambda _value: 0)),
        Asks.VALUE,
        waits=False,
        ahead=1,
        lossy=True,
        label="by value",
    ),
    Operator("sample", lambda flow, _made: flow.sample(MOMENT), ahead=inf),
    Operator("timeout", lambda flow, _made: flow.timeout(60)),
    Operator("throttle_first", lambda flow, _made: flow.throttle_first(MOMENT / 10), lossy=True),
    Operator("rate_limit", lambda flow, _made: flow.rate_limit(1, per=MOMENT)),
    Operator("zip_with", lambda flow, made: flow.zip_with(FOREVER, made(lambda value, _index: value)), Asks.VALUE),
    Operator("flat_map_concat", lambda flow, made: flow.flat_map_concat(made(flow_of)), Asks.VALUE),
    Operator(
        "flat_map_merge", lambda flow, made: flow.flat_map_merge(made(flow_of), concurrency=1), Asks.VALUE, ahead=ROOM + 2
    ),
    Operator("flat_map_latest", lambda flow, made: flow.flat_map_latest(made(flow_of)), Asks.VALUE, ahead=inf),
    Operator("map_latest", lambda flow, made: flow.map_latest(made(lambda value: value)), Asks.VALUE, ahead=inf),
    Operator(
        "transform_latest",
        lambda flow, made: flow.transform_latest(made(lambda emit, value: emit(value))),
        Asks.VALUE,
        ahead=inf,
    ),
    Operator(
        "map_concurrent", lambda flow, made: flow.map_concurrent(made(lambda value: value), limit=2), Asks.VALUE, ahead=ROOM + 3
    ),
    Operator(
        "map_concurrent",
        lambda flow, made: flow.map_concurrent(made(lambda value: value), limit=2, ordered=False),
        Asks.VALUE,
        ahead=ROOM + 3,
        label="unordered",
    ),
    Operator("flatten_concat", lambda flow, _made: flow.map(flow_of).flatten_concat()),
    Operator("flatten_merge", lambda flow, _made: flow.map(flow_of).flatten_merge(concurrency=1), ahead=ROOM + 2),
    Operator("on_start", lambda flow, made: flow.on_start(made(lambda _emit: None)), Asks.START),
    Operator("on_completion", lambda flow, made: flow.on_completion(made(lambda _emit, _cause: None)), Asks.END),
    Operator("on_empty", lambda flow, made: flow.on_empty(made(lambda _emit: None)), Asks.EMPTINESS),
    Operator("catch", lambda flow, made: flow.catch(made(lambda _emit, _error: None), Caught), Asks.FAILURE),
    Operator("retry", lambda flow, made: flow.retry(Caught, when=made(lambda _error: False)), Asks.FAILURE),
    Operator("retry_when", lambda flow, made: flow.retry_when(made(lambda _emit, _error, _attempt: False)), Asks.FAILURE),
    Operator("merge", lambda flow, _made: merge(flow, empty_flow()), ahead=ROOM + 1),
    Operator("combine", lambda flow, made: combine(flow, flow_of(0), made(lambda value, _zero: value)), Asks.VALUE, ahead=3),
    Operator(
        "combine_transform",
        lambda flow, made: combine_transform(flow, flow_of(0), made(lambda emit, value, _zero: emit(value))),
        Asks.VALUE,
        ahead=3,
    ),
)

BY_NAME = {operator.name: operator for operator in OPERATORS}
assert len(BY_NAME) == len(OPERATORS)

ELSEWHERE = {
    "launch_in": "a collection in a job: tests/flows/test_terminal.py",
    "produce_in": "a collection in a job: tests/flows/test_produce_in.py",
    "share_in": "a collection in a job: tests/flows/test_sharing.py",
    "state_in": "a collection in a job: tests/flows/test_sharing.py",
    "to_observable": "tests/interop/test_aioreactive.py",
    "open": "tests/laws/test_iteration.py, and one of the laws",
    "pipe": "does not look at the flow: tests/flows/test_transform.py",
    "on_subscription": "of shared flows only: tests/flows/test_on_subscription.py",
    "as_shared_flow": "a view: tests/flows/test_shared_flow.py",
    "as_state_flow": "a view: tests/flows/test_state_flow.py",
    "emit": "of hot flows: tests/flows/test_shared_flow.py, tests/flows/test_state_flow.py",
    "emit_nowait": "of hot flows: tests/flows/test_shared_flow.py, tests/flows/test_state_flow.py",
    "resume_after": "of shared flows only: tests/flows/test_resume_after.py",
    "statistics": "of hot flows: tests/flows/test_statistics.py",
    "reset_replay_cache": "of hot flows: tests/flows/test_shared_flow.py",
    "update": "of states: tests/flows/test_state_flow.py",
    "compare_and_set": "of states: tests/flows/test_state_flow.py",
}
"""What else a flow can do, and where that is tested."""
