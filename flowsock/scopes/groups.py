"""A task group that raises what went wrong, not a group around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

from anyio import create_task_group, get_cancelled_exc_class
from anyio.lowlevel import cancel_shielded_checkpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from anyio.abc import TaskGroup

    TaskBlock: TypeAlias = AbstractAsyncContextManager["Tasks", bool | None]


class Stop(BaseException):
    """Unwind a flow that has nothing more to give to its owner.

    The law of early stop: only the owner of this very object swallows it. It is a ``BaseException`` so that neither a user's
    ``except Exception`` nor another operator can. It loses against any real error that happens while unwinding.
    """


def is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    """Tell whether an error is a group of errors."""
    return isinstance(error, BaseExceptionGroup)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if is_group(error):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def collapse(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Reduce a group to what a caller should see.

    Cancellation, closing generators and early stops give way to real errors; one error is returned as itself, several
    as a group without duplicates. A group that somebody raised himself is one error.
    """
    yielding = (get_cancelled_exc_class(), GeneratorExit, Stop)
    real: dict[tuple[int, ...], BaseException] = {}
    for error in group.exceptions:
        remainder = _without(yielding, error)
        if remainder is not None:
            # By its leaves, because trio copies the groups that pass its cancel scopes.
            real[tuple(map(id, _leaves(remainder)))] = remainder
    if not real:
        leaves = list(_leaves(group))
        return next((leaf for leaf in leaves if isinstance(leaf, Stop)), leaves[0])
    if len(real) == 1:
        return next(iter(real.values()))
    return BaseExceptionGroup(group.message, list(real.values()))


def _without(yielding: tuple[type[BaseException], ...], error: BaseException) -> BaseException | None:
    if is_group(error):
        dropped, rest = error.split(yielding)
        if dropped is None:
            return error
        return None if rest is None else collapse(rest)
    return None if isinstance(error, yielding) else error


def raise_together(message: str, errors: Sequence[Exception]) -> None:
    """Raise what several calls raised, if any did: one error as itself, several as a group."""
    if len(errors) > 1:
        raise ExceptionGroup(message, errors)
    if errors:
        raise errors[0]


class Cancellable(Protocol):
    """What ends tasks."""

    @property
    def cancel_called(self) -> bool:
        """Tell whether it was told to."""
        ...

    def cancel(self) -> None:
        """End them."""
        ...


class Tasks(Protocol):
    """What runs tasks, as anyio's task groups do."""

    @property
    def cancel_scope(self) -> Cancellable:
        """Give what ends the tasks, and the body of the block that they live in."""
        ...

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, Any]], /, *args: Any, name: Any = None) -> object:
        """Run a coroutine function in a task of its own."""
        ...


async def collapsed(leaving: Awaitable[bool | None], error: BaseException | None) -> bool | None:
    """Leave a group of tasks, as its ``__aexit__`` does for an error, and raise what went wrong, not a group around it."""
    try:
        return await leaving
    except BaseExceptionGroup as group:
        reason = collapse(group)
    if reason is error:
        return False
    context = reason.__context__
    # If the last thing that was thrown into this task is a cancellation, the interpreter makes it the context of whatever
    # comes out: leave at an ordinary turn.
    await cancel_shielded_checkpoint()
    try:
        raise reason
    finally:
        # Raising here would chain the error to the cancellation that it caused, which explains nothing.
        reason.__context__ = context
        del reason, context


class task_group:
    """Open an anyio task group whose errors are collapsed on the way out.

    Law: leaving waits for all children. The first failure cancels the others; a single error is raised as itself with its
    own traceback, several as one ``ExceptionGroup``.
    """

    __slots__ = ("_group",)

    async def __aenter__(self) -> TaskGroup:
        self._group = create_task_group()
        return await self._group.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await collapsed(self._group.__aexit__(kind, error, traceback), error)
