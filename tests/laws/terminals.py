"""Every terminal operator, in one table: the laws that hold for all of them are proved over it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from attrs import frozen

from flowsock import Flow
from tests.laws.operators import Made

Run: TypeAlias = Callable[[Flow[int], Made], Awaitable[Any]]


@frozen
class Terminal:
    """One terminal operator, over the values 1 and 2.

    Attributes:
        method: Its name in `Flow`.
        run: Applies it so that it wants the flow's end, if there is no second value.
        stop: Applies it so that it has enough before the flow's end, if it can.
        asks: Whether it has a callback.
    """

    method: str
    run: Run
    stop: Run | None = None
    asks: bool = True


TERMINALS = (
    Terminal("collect", lambda flow, made: flow.collect(made(lambda _value: None))),
    Terminal("collect_indexed", lambda flow, made: flow.collect_indexed(made(lambda _index, _value: None))),
    Terminal("collect_latest", lambda flow, made: flow.collect_latest(made(lambda _value: None))),
    Terminal(
        "first",
        lambda flow, made: flow.first(made(lambda _value: False), default=0),
        lambda flow, made: flow.first(made(lambda _value: True)),
    ),
    Terminal(
        "single",
        lambda flow, _made: flow.single(default=0),
        lambda flow, _made: flow.single(default=0),
        asks=False,
    ),
    Terminal("last", lambda flow, _made: flow.last(default=0), asks=False),
    Terminal("to_list", lambda flow, _made: flow.to_list(), asks=False),
    Terminal("to_set", lambda flow, _made: flow.to_set(), asks=False),
    Terminal("to_dict", lambda flow, made: flow.to_dict(made(lambda value: (value, value)))),
    Terminal("group_by", lambda flow, made: flow.group_by(made(lambda value: value))),
    Terminal("fold", lambda flow, made: flow.fold(0, made(lambda _old, value: value))),
    Terminal("reduce", lambda flow, made: flow.reduce(made(lambda _old, value: value))),
    Terminal("count", lambda flow, made: flow.count(made(lambda _value: True))),
    Terminal(
        "any", lambda flow, made: flow.any(made(lambda _value: False)), lambda flow, made: flow.any(made(lambda _value: True))
    ),
    Terminal(
        "all", lambda flow, made: flow.all(made(lambda _value: True)), lambda flow, made: flow.all(made(lambda _value: False))
    ),
    Terminal(
        "none",
        lambda flow, made: flow.none(made(lambda _value: False)),
        lambda flow, made: flow.none(made(lambda _value: True)),
    ),
)
