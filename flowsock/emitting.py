"""The one protocol that every stage of the library obeys: push while you can, suspend when you must.

An *emit function* takes one value. It returns ``None`` (or anything else that cannot be awaited) when the value is
accepted, or an awaitable that the producer awaits **before it emits again**. A chain of synchronous stages therefore
costs plain calls, no coroutine and no task switch per value, and back-pressure appears only where somebody really waits.

What a user's callback returned is looked at in one place, `waiting`: a producer calls it on every result but ``None``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, cast, final

from anyio import get_cancelled_exc_class

from flowsock.parking import new_turn

T_contra = TypeVar("T_contra", contravariant=True)
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

Emit: TypeAlias = Callable[[T], object]
"""Takes one value; the result is either awaited before the next value, if it can be awaited, or ignored."""

FAIR_TURN: Final = 128
"""A source that never has to wait gives the event loop a turn after this many values."""


@final
class _Ready:
    """An awaitable that never suspends; one instance serves everybody."""

    __slots__ = ()

    # An iterator of nothing ends the await at once. It is made in C, since this is awaited for nearly every message.
    __await__ = staticmethod(cast("Callable[[], Generator[None, None, None]]", ().__iter__))

    def __repr__(self) -> str:
        return "READY"


READY: Final[Awaitable[None]] = _Ready()
"""What an operation returns that had nothing to wait for."""


@final
class _Turn:
    """An awaitable that lets other tasks run once, and sees cancellation."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return cast("Generator[Any, Any, None]", new_turn())

    def __repr__(self) -> str:
        return "TURN"


TURN: Final[Awaitable[None]] = _Turn()
"""What an operation returns now and then, so that a producer that never waits does not starve the others."""


def waiting(result: object) -> Awaitable[object] | None:
    """Tell what has to be awaited before the next value: nothing, for ``None``, `READY` and plain values."""
    if result is None or result is READY or not hasattr(result, "__await__"):
        return None
    return cast("Awaitable[object]", result)


async def settle(result: Any) -> Any:
    """Give what a callback returned, awaited if it can be."""
    pending = waiting(result)
    return result if pending is None else await pending


@final
class Then(Generic[T]):
    """An awaitable, and what to do with its result: how a stage goes on whose callback was asynchronous.

    The continuation may again return something to await. Closing one that was never awaited drops all it is made of.
    """

    __slots__ = ("_go_on", "_pending")

    def __init__(self, pending: Awaitable[T], go_on: Callable[[T], object]) -> None:
        self._pending = pending
        self._go_on = go_on

    def __await__(self) -> Generator[object, object, None]:
        result = yield from self._pending.__await__()
        pending = waiting(self._go_on(result))
        if pending is not None:
            yield from pending.__await__()

    def close(self) -> None:
        discard(self._pending)


@final
class Watched:
    """An awaitable from below a stage, whose failure is noted."""

    __slots__ = ("_note", "_pending")

    def __init__(self, pending: Awaitable[object], note: Callable[[BaseException], object]) -> None:
        self._pending = pending
        self._note = note

    def __await__(self) -> Generator[object, object, None]:
        try:
            yield from self._pending.__await__()
        except BaseException as error:
            self._note(error)
            raise

    def close(self) -> None:
        discard(self._pending)


class Collectable(Protocol[T_co]):
    """What gives its values to a function: a flow."""

    def collect(self, function: Callable[[T_co], object], /) -> Awaitable[object]:
        """Give every value to the function."""
        ...


class Emitter(Generic[T_contra]):
    """The ``emit`` that a callback gets first: ``await emit(value)``, or ``await emit.all(flow)``.

    Law: both return when the value, or the flow, was handled to its end, and raise what is raised below. Whoever swallows that
    and emits again gets a ``RuntimeError``: a collector that failed, or has enough, is not called again. An emitter that never
    has to wait takes a turn after 128 values.

    >>> await flow_of(1, 2).transform(lambda emit, n: emit.all(flow_of(n, n * 10))).to_list()
    [1, 10, 2, 20]
    """

    __slots__ = ("_emit", "_turns")

    def __init__(self, emit: Emit[T_contra]) -> None:
        self._emit = emit
        self._turns = FAIR_TURN

    def __call__(self, value: T_contra, /) -> Awaitable[object]:
        try:
            pending = waiting(self._emit(value))
        except BaseException as error:
            self._note(error)
            raise
        if pending is not None:
            return Watched(pending, self._note)
        self._turns -= 1
        if self._turns:
            return READY
        self._turns = FAIR_TURN
        return TURN

    def all(self, flow: Collectable[T_contra], /) -> Awaitable[object]:
        """Emit every value of a flow (Kotlin: ``emitAll``).

        Law: returns when the flow has completed, and raises what it raised.

        >>> await empty_flow().on_empty(lambda emit: emit.all(flow_of(1, 2))).to_list()
        [1, 2]
        """
        return flow.collect(self)

    def _note(self, error: BaseException) -> None:
        emit = self._emit

        def emit_again(value: T_contra) -> object:
            # A cancellation may have been a timeout of the callback's own.
            if not isinstance(error, get_cancelled_exc_class()):
                raise RuntimeError("a callback emitted again although emit had raised: let that error pass") from error
            self._emit = emit
            return emit(value)

        self._emit = emit_again


@final
class Refusal(Emitter[object]):
    """The ``emit`` where nothing may be emitted any more: it raises the reason, and starts no flow."""

    __slots__ = ("_reason",)

    def __init__(self, reason: BaseException) -> None:
        super().__init__(ignore)
        self._reason = reason

    def __call__(self, _value: object, /) -> Awaitable[object]:
        raise self._reason

    def all(self, _flow: Collectable[object], /) -> Awaitable[object]:
        raise self._reason


def ignore(_value: object, /) -> None:
    """Accept a value and do nothing with it."""


def discard(pending: Awaitable[object]) -> None:
    """Drop an awaitable that will never be awaited, without a warning from the interpreter."""
    close = getattr(pending, "close", None)
    if close is not None:
        close()
