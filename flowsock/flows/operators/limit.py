"""Operators that let only a part of the values pass, by their position."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.emitting import Emitter, Then, waiting
from flowsock.flows.source import HotSource, Operator, Staged, collect_until, collect_while, staged

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit
    from flowsock.flows.source import Source
    from flowsock.scopes.groups import Stop


class Take(Operator[Any]):
    """The first ``count`` values; the last one is delivered before the upstream is stopped."""

    __slots__ = ("count",)

    def __init__(self, upstream: Source[Any], count: int) -> None:
        if count < 1:
            raise ValueError(f"take needs a count of 1 or more, got {count}")
        super().__init__(upstream)
        self.count = count

    async def collect(self, emit: Emit[Any]) -> None:
        def limit(stop: Stop) -> Emit[Any]:
            left = self.count

            def end(_result: object) -> object:
                raise stop

            def count_down(value: Any) -> object:
                nonlocal left
                left -= 1
                if left > 0:
                    return emit(value)
                pending = waiting(emit(value)) if left == 0 else None
                return end(None) if pending is None else Then(pending, end)

            return count_down

        await collect_until(self.upstream, limit)


class TakeWhile(Operator[Any]):
    """Values up to, and without, the first that fails the predicate."""

    __slots__ = ("predicate",)

    def __init__(self, upstream: Source[Any], predicate: Callable[[Any], Any]) -> None:
        super().__init__(upstream)
        self.predicate = predicate

    async def collect(self, emit: Emit[Any]) -> None:
        predicate = self.predicate

        def limit(stop: Stop) -> Emit[Any]:
            def decide(verdict: object, value: Any) -> object:
                if not verdict:
                    raise stop
                return emit(value)

            def test(value: Any) -> object:
                verdict = predicate(value)
                if hasattr(verdict, "__await__"):
                    return Then(verdict, lambda decided: decide(decided, value))
                return decide(verdict, value)

            return test

        await collect_while(self.upstream, limit)


class TransformWhile(Operator[Any]):
    """What a function emits for each value, up to and with the first for which it returns something false."""

    __slots__ = ("function",)

    def __init__(self, upstream: Source[Any], function: Callable[[Any, Any], Any]) -> None:
        super().__init__(upstream)
        self.function = function

    async def collect(self, emit: Emit[Any]) -> None:
        function, emitter = self.function, Emitter(emit)

        def limit(stop: Stop) -> Emit[Any]:
            def decide(verdict: object) -> object:
                if not verdict:
                    raise stop
                return None

            def test(value: Any) -> object:
                verdict = function(emitter, value)
                return Then(verdict, decide) if hasattr(verdict, "__await__") else decide(verdict)

            return test

        await collect_while(self.upstream, limit)


def cancellable(source: Source[Any]) -> Source[Any]:
    root = source.root if isinstance(source, Staged) else source
    if isinstance(root, HotSource):
        return source  # which looks before each value

    def stage(emit: Emit[Any]) -> Emit[Any]:
        return lambda value: Then(checkpoint_if_cancelled(), lambda _looked: emit(value))

    return staged(source, stage, may_wait=True)


def dropped(source: Source[Any], count: int) -> Source[Any]:
    if count < 0:
        raise ValueError(f"drop needs a count of 0 or more, got {count}")
    if count == 0:
        return source

    def stage(emit: Emit[Any]) -> Emit[Any]:
        left = count

        def skip(value: Any) -> object:
            nonlocal left
            if not left:
                return emit(value)
            left -= 1
            return None

        return skip

    return staged(source, stage)


def dropped_while(source: Source[Any], predicate: Callable[[Any], Any]) -> Source[Any]:
    def stage(emit: Emit[Any]) -> Emit[Any]:
        dropping = True

        def decide(verdict: object, value: Any) -> object:
            nonlocal dropping
            dropping = bool(verdict)
            return None if dropping else emit(value)

        def skip(value: Any) -> object:
            if not dropping:
                return emit(value)
            verdict = predicate(value)
            if hasattr(verdict, "__await__"):
                return Then(verdict, lambda decided: decide(decided, value))
            return decide(verdict, value)

        return skip

    return staged(source, stage, may_wait=iscoroutinefunction(predicate))
