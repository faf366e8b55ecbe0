"""Stages without state that follow each other, as one function: what they do is written out in a row, and compiled.

A function around a function for each of them would cost a call per stage and value, which is more than most callbacks cost
themselves. ``map(f).filter(p)`` over an iterable becomes, apart from what has to be awaited::

    for value in iterable:
        value = f(value)
        if p(value):
            emit(value)

Each sequence of kinds of steps is compiled once in a process.
"""

from __future__ import annotations

import linecache
from functools import cache, lru_cache
from inspect import iscoroutinefunction
from itertools import chain, islice
from textwrap import indent
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import frozen

from flowsock.emitting import FAIR_TURN, READY, TURN, Then, ignore, waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence

    from flowsock.emitting import Emit

MOST_STEPS: Final = 20
"""How many steps one function has at most: each is an indentation deeper, and Python has a limit there."""


@frozen
class Step:
    """What happens to each value, as source text around that of the steps that follow, ``{rest}``.

    The text finds the value in ``value`` and the user's function in ``{f}``. It may remember something in ``{memory}``, which
    is ``None`` at first. Something to await goes to ``suspend``, with the value that `resume` is to get.
    """

    function: Callable[[Any], Any]
    text: ClassVar[str]

    def resume(self, outcome: Any, value: Any, rest: Emit[Any]) -> object:
        """Go on with the outcome of what the function gave to await."""
        raise NotImplementedError


class Map(Step):
    """Turn each value into another."""

    __slots__ = ()

    # A result that has the type of the one before needs no look at whether it can be awaited.
    text = """\
value = {f}(value)
if type(value) is {memory} or ({memory} := plain_type(value)) is not None:
    {rest}
else:
    {hand_on} suspend({index}, value, None)
"""

    def resume(self, outcome: Any, value: Any, rest: Emit[Any]) -> object:
        return rest(outcome)


class Keep(Step):
    """Let a value pass if a predicate is true of it."""

    __slots__ = ()

    text = """\
verdict = {f}(value)
if verdict is not True and verdict is not False and plain_type(verdict) is None:
    {hand_on} suspend({index}, verdict, value)
elif verdict:
    {rest}
"""

    def resume(self, outcome: Any, value: Any, rest: Emit[Any]) -> object:
        return rest(value) if outcome else None


class Drop(Step):
    """Let a value pass unless a predicate is true of it."""

    __slots__ = ()

    text = Keep.text.replace("elif verdict:", "elif not verdict:")

    def resume(self, outcome: Any, value: Any, rest: Emit[Any]) -> object:
        return None if outcome else rest(value)


class Inspect(Step):
    """Let a value pass once a function has seen it."""

    __slots__ = ()

    text = """\
done = {f}(value)
if done is not None and (done := waiting(done)) is not None:
    {hand_on} suspend({index}, done, value)
else:
    {rest}
"""

    def resume(self, outcome: Any, value: Any, rest: Emit[Any]) -> object:
        return rest(value)


@frozen
class Steps:
    """A stage of a pipeline that is made of steps."""

    steps: tuple[Step, ...] = ()

    @property
    def may_wait(self) -> bool:
        """Tell whether one of the functions is known to give something to await."""
        return any(iscoroutinefunction(step.function) for step in self.steps)

    def wrap(self, emit: Emit[Any]) -> Emit[Any]:
        """Make the emit function of these steps around the one below."""
        if not self.steps:
            return emit
        last = self.steps[-1]
        if emit is ignore and isinstance(last, Inspect):
            # The function can be the end of the chain itself: what it returns is awaited there, if it can be.
            return Steps(self.steps[:-1]).wrap(last.function)
        bind, _ = _compiled(*map(type, self.steps))
        wrapped: Emit[Any] = bind(self._functions, emit, self._suspender(emit))
        return wrapped

    def drive(self, values: Iterable[Any], emit: Emit[Any]) -> Coroutine[Any, Any, None]:
        """Push the values of an iterable through these steps to an emit function, with a turn for others now and then."""
        _, drive = _compiled(*map(type, self.steps))
        driven: Coroutine[Any, Any, None] = drive(self._functions, emit, self._suspender(emit), values)
        return driven

    @property
    def _functions(self) -> list[Callable[[Any], Any]]:
        return [step.function for step in self.steps]

    def _suspender(self, emit: Emit[Any]) -> Callable[[int, Awaitable[Any], Any], Then[Any]]:
        @cache
        def rest(index: int) -> Emit[Any]:
            return Steps(self.steps[index + 1 :]).wrap(emit)

        def suspend(index: int, pending: Awaitable[Any], value: Any) -> Then[Any]:
            return Then(pending, lambda outcome: self.steps[index].resume(outcome, value, rest(index)))

        return suspend


def plain_type(value: object) -> type | None:
    """Give a value's type, or ``None`` if the value can be awaited."""
    kind = type(value)
    return None if hasattr(kind, "__await__") else kind


_NAMES: Final = {
    "FAIR_TURN": FAIR_TURN,
    "READY": READY,
    "TURN": TURN,
    "chain": chain,
    "islice": islice,
    "plain_type": plain_type,
    "waiting": waiting,
}

_PUSHED: Final = """\
def bind(functions, emit, suspend):
    [{functions}] = functions
    {memories} = None
    def push(value):
        nonlocal {declared}
        {body}
    return push
"""

# A turn comes before each round of values but the first. `type` is a local name, because a global one is slower to look up.
_DRIVEN: Final = """\
async def drive(functions, emit, suspend, values, type=type):
    [{functions}] = functions
    {memories} = None
    iterator = iter(values)
    turn = READY
    for first in iterator:
        await turn
        turn = TURN
        for value in chain((first,), islice(iterator, FAIR_TURN - 1)):
            {body}
"""

_EMIT_AND_AWAIT: Final = """\
result = emit(value)
if result is not None and (pending := waiting(result)) is not None:
    await pending"""


@lru_cache(1024)
def _compiled(*kinds: type[Step]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Write and compile the two functions for a sequence of kinds: one for a value at a time, one that loops."""
    pushed = _written(_PUSHED, kinds, "return emit(value)", "return")
    driven = _written(_DRIVEN, kinds, _EMIT_AND_AWAIT, "await")
    text = f"{pushed}\n{driven}"
    name = f"<flowsock {' '.join(kind.__name__ for kind in kinds)}>"
    # Tracebacks show the lines.
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    namespace: dict[str, Any] = dict(_NAMES)
    exec(compile(text, name, "exec"), namespace)
    return namespace["bind"], namespace["drive"]


def _written(frame: str, kinds: Sequence[type[Step]], end: str, hand_on: str) -> str:
    body = end
    for index, kind in reversed(list(enumerate(kinds))):
        body = _around(body, "{rest}", kind.text).format(f=f"f{index}", memory=f"memory{index}", index=index, hand_on=hand_on)
    memories = [f"memory{index}" for index in range(len(kinds) + 1)]
    return _around(body, "{body}", frame).format(
        functions=", ".join(f"f{index}" for index in range(len(kinds))),
        memories=" = ".join(memories),
        declared=", ".join(memories),
    )


def _around(text: str, place: str, outer: str) -> str:
    """Put some lines in the place of another, as deep as that one stands."""
    margin = next(line.removesuffix(place) for line in outer.splitlines() if line.endswith(place))
    return outer.replace(f"{margin}{place}", indent(text, margin))
