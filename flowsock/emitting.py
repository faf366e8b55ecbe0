"""The one protocol that every stage of the library obeys: push while you can, suspend when you must.

An *emit function* takes one value. It returns ``None`` (or anything else that cannot be awaited) when the value is
accepted, or an awaitable that the producer awaits **before it emits again**. A chain of synchronous stages therefore
costs plain calls, no coroutine and no task switch per value, and back-pressure appears only where somebody really waits.

What a user's callback returned is looked at in one place, `waiting`: a producer calls it on every result but ``None``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Final, TypeAlias, TypeVar, cast, final

from anyio import lowlevel

T_contra = TypeVar("T_contra", contravariant=True)
T = TypeVar("T")

Emit: TypeAlias = Callable[[T], object]
"""Takes one value; the result is either awaited before the next value, if it can be awaited, or ignored."""

FAIR_TURN: Final = 128
"""A source that never has to wait gives the event loop a turn after this many values."""


@final
class _Ready:
    """An awaitable that never suspends; one instance serves everybody."""

    __slots__ = ()

    _nothing: Iterator[None] = iter(())

    def __await__(self) -> Generator[None, None, None]:
        # An exhausted iterator ends the await at once; it is shared because it has no state left.
        return cast("Generator[None, None, None]", self._nothing)

    def __repr__(self) -> str:
        return "READY"


READY: Final[Awaitable[None]] = _Ready()
"""What an operation returns that had nothing to wait for."""


@final
class _Turn:
    """An awaitable that lets other tasks run once, and sees cancellation."""

    __slots__ = ()

    def __await__(self) -> Generator[object, object, None]:
        return lowlevel.checkpoint().__await__()

    def __repr__(self) -> str:
        return "TURN"


TURN: Final[Awaitable[None]] = _Turn()
"""What an operation returns now and then, so that a producer that never waits does not starve the others."""


def waiting(result: object) -> Awaitable[object] | None:
    """Tell what has to be awaited before the next value: nothing, for ``None``, `READY` and plain values."""
    if result is None or result is READY or not hasattr(result, "__await__"):
        return None
    return cast("Awaitable[object]", result)


async def settle(result: object) -> None:
    """Await what a callback returned, if it can be awaited."""
    pending = waiting(result)
    if pending is not None:
        await pending


async def then_emit(pending: Awaitable[T], emit: Emit[T]) -> None:
    """Await a value, then emit it: how a stage goes on whose callback was asynchronous."""
    await settle(emit(await pending))


class Emitter:
    """Wrap an emit function for user code, which writes ``await emit(value)``."""

    __slots__ = ("_emit",)

    def __init__(self, emit: Emit[object]) -> None:
        self._emit = emit

    def __call__(self, value: object) -> Awaitable[object]:
        return waiting(self._emit(value)) or READY


def ignore(_value: object, /) -> None:
    """Accept a value and do nothing with it."""


def discard(pending: Awaitable[object]) -> None:
    """Drop an awaitable that will never be awaited, without a warning from the interpreter."""
    close = getattr(pending, "close", None)
    if close is not None:
        close()
