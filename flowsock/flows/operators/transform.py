"""Operators that turn each value into others, one after the other, in the same task."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from attrs import frozen

from flowsock.clause import NOTHING
from flowsock.emitting import Emitter, Then, settle
from flowsock.flows.conflation import same_value
from flowsock.flows.source import Operator, Staged, staged, stepped, with_stage
from flowsock.flows.steps import Drop, Inspect, Keep, Map

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit
    from flowsock.flows.source import Source


def mapped(source: Source[Any], function: Callable[[Any], Any]) -> Source[Any]:
    return stepped(source, Map(function))


def filtered(source: Source[Any], predicate: Callable[[Any], Any], *, keep: bool = True) -> Source[Any]:
    return stepped(source, Keep(predicate) if keep else Drop(predicate))


def inspected(source: Source[Any], action: Callable[[Any], Any]) -> Source[Any]:
    return stepped(source, Inspect(action))


def transformed(source: Source[Any], function: Callable[[Any, Any], Any]) -> Source[Any]:
    def stage(emit: Emit[Any]) -> Emit[Any]:
        emitter = Emitter(emit)
        return lambda value: function(emitter, value)

    return staged(source, stage, may_wait=iscoroutinefunction(function))


def not_none(source: Source[Any]) -> Source[Any]:
    return filtered(source, lambda value: value is not None)


def paired(source: Source[Any]) -> Source[Any]:
    def stage(emit: Emit[Any]) -> Emit[Any]:
        previous: Any = NOTHING

        def pair(value: Any) -> object:
            nonlocal previous
            before, previous = previous, value
            return None if before is NOTHING else emit((before, value))

        return pair

    return staged(source, stage)


def indexed(source: Source[Any]) -> Source[Any]:
    def stage(emit: Emit[Any]) -> Emit[Any]:
        index = -1

        def number(value: Any) -> object:
            nonlocal index
            index += 1
            return emit((index, value))

        return number

    return staged(source, stage)


def distinct(
    source: Source[Any], key: Callable[[Any], Any] | None = None, same: Callable[[Any, Any], Any] = same_value
) -> Source[Any]:
    distinction = _Distinction(key, same)
    last = source.stages[-1] if isinstance(source, Staged) else None
    return source if isinstance(last, _Distinction) and last == distinction else with_stage(source, distinction)


@frozen
class _Distinction:
    """Drop a value whose key is the same as that of the value before; nothing more is dropped the second time."""

    key: Callable[[Any], Any] | None
    same: Callable[[Any, Any], Any]
    may_wait: bool = False

    def wrap(self, emit: Emit[Any]) -> Emit[Any]:
        key, same = self.key, self.same
        last: Any = NOTHING

        def compare(value: Any) -> object:
            nonlocal last
            current = value if key is None else key(value)
            if last is not NOTHING and same(last, current):
                return None
            last = current
            return emit(value)

        return compare


def accumulated(source: Source[Any], initial: Any, function: Callable[[Any, Any], Any]) -> Source[Any]:
    """Emit each running result, after the initial one is emitted by the caller; `NOTHING` stands for the first value."""

    def stage(emit: Emit[Any]) -> Emit[Any]:
        accumulator = initial

        def advance(result: Any) -> object:
            nonlocal accumulator
            accumulator = result
            return emit(result)

        def step(value: Any) -> object:
            if accumulator is NOTHING:
                return advance(value)
            result = function(accumulator, value)
            return Then(result, advance) if hasattr(result, "__await__") else advance(result)

        return step

    return staged(source, stage, may_wait=iscoroutinefunction(function))


class Scan(Operator[Any]):
    """The initial value, and then the running result after each value."""

    __slots__ = ("initial",)

    def __init__(self, upstream: Source[Any], initial: Any, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(accumulated(upstream, initial, function))
        self.initial = initial

    async def collect(self, emit: Emit[Any]) -> None:
        await settle(emit(self.initial))
        await self.upstream.collect(emit)


class Chunked(Operator[Any]):
    """Lists of ``size`` values; the last one, on completion, may be shorter."""

    __slots__ = ("size",)

    def __init__(self, upstream: Source[Any], size: int) -> None:
        if size < 1:
            raise ValueError(f"chunked needs a size of 1 or more, got {size}")
        super().__init__(upstream)
        self.size = size

    async def collect(self, emit: Emit[Any]) -> None:
        chunk: list[Any] = []

        def gather(value: Any) -> object:
            nonlocal chunk
            chunk.append(value)
            if len(chunk) < self.size:
                return None
            full, chunk = chunk, []
            return emit(full)

        await self.upstream.collect(gather)
        if chunk:
            await settle(emit(chunk))


class StartWith(Operator[Any]):
    """Some values, and then those of the upstream."""

    __slots__ = ("values",)

    def __init__(self, upstream: Source[Any], values: tuple[Any, ...]) -> None:
        super().__init__(upstream)
        self.values = values

    async def collect(self, emit: Emit[Any]) -> None:
        for value in self.values:
            await settle(emit(value))
        await self.upstream.collect(emit)
