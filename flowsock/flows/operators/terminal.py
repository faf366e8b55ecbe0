"""Terminal operators: they collect a source and give one result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowsock.clause import NOTHING
from flowsock.emitting import Then
from flowsock.errors import NoSuchElement
from flowsock.flows.operators.transform import mapped
from flowsock.flows.source import collect_while

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit
    from flowsock.flows.source import Source
    from flowsock.scopes.groups import Stop


async def find(source: Source[Any], predicate: Callable[[Any], Any] | None, *, wanted: bool = True) -> Any:
    """Give the first value with the wanted verdict, or `NOTHING`, and stop the source there."""
    found: Any = NOTHING

    def search(stop: Stop) -> Emit[Any]:
        def accept(value: Any) -> object:
            nonlocal found
            found = value
            raise stop

        def test(value: Any) -> object:
            verdict: Any = True if predicate is None else predicate(value)
            if hasattr(verdict, "__await__"):
                return Then(verdict, lambda decided: accept(value) if bool(decided) is wanted else None)
            return accept(value) if bool(verdict) is wanted else None

        return test

    await collect_while(source, search)
    return found


async def first(source: Source[Any], predicate: Callable[[Any], Any] | None, default: Any) -> Any:
    found = await find(source, predicate)
    return _required(found, default, "no element of the flow was what first() asked for")


async def single(source: Source[Any], default: Any) -> Any:
    only: Any = NOTHING
    several = False

    def limit(stop: Stop) -> Emit[Any]:
        def keep(value: Any) -> None:
            nonlocal only, several
            if only is not NOTHING:
                several = True
                raise stop
            only = value

        return keep

    await collect_while(source, limit)
    if several and default is NOTHING:
        raise ValueError("the flow has more than the one element that single() asked for")
    return _required(NOTHING if several else only, default, "the flow was empty: single() has nothing to give")


async def last(source: Source[Any], default: Any) -> Any:
    newest: Any = NOTHING

    def keep(value: Any) -> None:
        nonlocal newest
        newest = value

    await source.collect(keep)
    return _required(newest, default, "the flow was empty: last() has nothing to give")


def _required(value: Any, default: Any, message: str) -> Any:
    if value is not NOTHING:
        return value
    if default is NOTHING:
        raise NoSuchElement(message)
    return default


async def to_list(source: Source[Any], destination: list[Any]) -> list[Any]:
    await source.collect(destination.append)
    return destination


async def to_set(source: Source[Any], destination: set[Any]) -> set[Any]:
    await source.collect(destination.add)
    return destination


async def to_dict(source: Source[Any], function: Callable[[Any], Any]) -> dict[Any, Any]:
    pairs: dict[Any, Any] = {}
    await mapped(source, function).collect(lambda pair: pairs.__setitem__(*pair))
    return pairs


async def group_by(source: Source[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}

    def add(group: Any, value: Any) -> object:
        groups.setdefault(group, []).append(value)
        return None

    def sort(value: Any) -> object:
        group = key(value)
        if hasattr(group, "__await__"):
            return Then(group, lambda decided: add(decided, value))
        return add(group, value)

    await source.collect(sort)
    return groups


async def fold(source: Source[Any], initial: Any, function: Callable[[Any, Any], Any]) -> Any:
    """Reduce to one value; `NOTHING` as the initial one stands for the first of the source."""
    accumulator = initial

    def advance(result: Any) -> object:
        nonlocal accumulator
        accumulator = result
        return None

    def step(value: Any) -> object:
        if accumulator is NOTHING:
            return advance(value)
        result = function(accumulator, value)
        return Then(result, advance) if hasattr(result, "__await__") else advance(result)

    await source.collect(step)
    return accumulator


async def reduce(source: Source[Any], function: Callable[[Any, Any], Any]) -> Any:
    return _required(await fold(source, NOTHING, function), NOTHING, "the flow was empty: reduce() has nothing to give")


async def count(source: Source[Any], predicate: Callable[[Any], Any] | None) -> int:
    total = 0

    def add(verdict: object) -> object:
        nonlocal total
        total += bool(verdict)
        return None

    def test(value: Any) -> object:
        verdict: Any = True if predicate is None else predicate(value)
        return Then(verdict, add) if hasattr(verdict, "__await__") else add(verdict)

    await source.collect(test)
    return total
