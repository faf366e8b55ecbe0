"""The laws that hold for every operator, and for every stack of operators, as executable checks.

Each takes what puts the operators below a source, and runs on any backend.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from anyio import CancelScope, Event, create_task_group, fail_after, sleep_forever

from tests.laws.operators import Through
from tests.laws.upstream import Upstream
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowsock import Flow

Law: TypeAlias = Callable[[Through], Awaitable[None]]

PATIENCE = 5


class CleanupFailed(Exception):
    """What goes wrong last."""


class Broken(Exception):
    """What goes wrong."""


def on_asyncio() -> bool:
    """Tell whether the running event loop is asyncio's, or uvloop's."""
    with suppress(RuntimeError):
        return asyncio.current_task() is not None
    return False


def living_tasks() -> int:
    """Count the tasks that have not ended."""
    if on_asyncio():
        return len(asyncio.all_tasks())
    import trio

    return trio.lowlevel.current_statistics().tasks_living


@asynccontextmanager
async def nothing_left_running() -> AsyncIterator[None]:
    """Check that as many tasks live afterwards as before, and that the block ends at all."""
    before = living_tasks()
    with fail_after(PATIENCE):
        yield
    assert living_tasks() == before


def assert_untouched(raised: BaseException, error: BaseException, where: str | None = None) -> None:
    """Check that an error came out as it was raised: no other object, no group, nothing chained to it, the traceback whole."""
    assert raised is error
    assert where is None or traceback.extract_tb(raised.__traceback__)[-1].name == where
    assert raised.__cause__ is None
    assert raised.__context__ is None


async def completes(through: Through) -> None:
    """All values arrive, in order, and then the collection returns; what is above has cleaned up by then."""
    for values in (0, 1, 3):
        source = Upstream(values)
        async with nothing_left_running():
            await through(source.emitted()).collect(source.see)
            assert (source.opened, source.closed) == (1, 1)
        assert source.seen == list(range(1, values + 1))
        assert len(source.tasks) == 1


async def passes_an_error_from_above(through: Through) -> None:
    """An error of the source comes out as it is."""
    for values in (0, 1, 2):
        for paced in (inf, 0):
            error = Broken("above")
            source = Upstream(values, error=error, paced=paced)
            async with nothing_left_running():
                with pytest.raises(Broken) as raised:
                    await through(source.emitted()).collect(source.see_slowly)
                assert (source.opened, source.closed) == (1, 1)
            assert_untouched(raised.value, error, "emitted")
            assert source.seen == sorted(set(source.seen))  # a lossy operator may have dropped some


async def passes_an_error_from_below(through: Through) -> None:
    """An error of the collector comes out as it is, after the source has cleaned up in its own task."""
    for at in (1, 2):
        for waiting in (False, True):
            error = Broken("below")
            source = Upstream(endless=True, in_a_group=True)

            def handle(value: int, source: Upstream = source, at: int = at, error: Exception = error) -> None:
                if value == at:
                    raise error
                source.see(value)

            async def handle_slowly(value: int, handle: Callable[[int], None] = handle) -> None:
                await a_while()
                handle(value)

            async with nothing_left_running():
                with pytest.raises(Broken) as raised:
                    await through(source.emitted()).collect(handle_slowly if waiting else handle)
                assert (source.opened, source.closed) == (2, 2)
            assert_untouched(raised.value, error, "handle")
            assert len(source.tasks) == 1


STOPS: dict[str, tuple[Callable[[Flow[int]], Awaitable[Any]], object]] = {
    "first": (lambda flow: flow.first(), 1),
    "take": (lambda flow: flow.take(2).to_list(), [1, 2]),
    "take_while": (lambda flow: flow.take_while(lambda value: value < 2).to_list(), [1]),
}


async def lets_a_stop_pass(through: Through) -> None:
    """An early stop below ends the source, which cleans up in its own task before the collection returns."""
    for stop, expected in STOPS.values():
        source = Upstream(endless=True, in_a_group=True)
        async with nothing_left_running():
            assert await stop(through(source.emitted()).on_each(source.see)) == expected
            assert (source.opened, source.closed) == (2, 2)
        assert len(source.tasks) == 1


async def lets_a_stop_pass_at_full_speed(through: Through) -> None:
    """The same while the source runs ahead as far as it may."""
    source = Upstream(endless=True, in_a_group=True, paced=0)
    async with nothing_left_running():
        assert await through(source.emitted()).first() in (1, 2, 3)
        assert (source.opened, source.closed) == (2, 2)
    assert len(source.tasks) == 1


async def lets_an_open_block_be_left(through: Through) -> None:
    """Leaving ``open()`` early, in order or by an error, ends the source before the block has ended."""
    for error in (None, Broken("in the block")):
        source = Upstream(endless=True, in_a_group=True)
        async with nothing_left_running():
            with pytest.raises(Broken) if error else nullcontext() as raised:
                async with through(source.emitted()).open() as items:
                    async for value in items:
                        source.see(value)
                        if error and value == 2:
                            raise error
                        if value == 2:
                            break
            assert (source.opened, source.closed) == (2, 2)
        assert len(source.tasks) == 1
        if raised is not None and error is not None:
            assert_untouched(raised.value, error)


async def lets_an_error_of_the_cleanup_out(through: Through) -> None:
    """What the source raises while it cleans up comes out as it is, and not without the collector's own error."""
    below = Broken("below")

    def explode(_value: int) -> None:
        raise below

    ends: tuple[Callable[[Flow[int]], Awaitable[Any]], ...] = (
        lambda flow: flow.collect(),
        lambda flow: flow.first(),
        lambda flow: flow.collect(explode),
    )
    for number, run in enumerate(ends):
        cleanup = CleanupFailed()
        source = Upstream(1, endless=number > 0, paced=0, cleanup_error=cleanup)
        async with nothing_left_running():
            with pytest.raises((CleanupFailed, ExceptionGroup)) as raised:
                await run(through(source.emitted()))
            assert (source.opened, source.closed) == (1, 1)
        if run is ends[2]:
            assert set(errors_of(raised.value)) >= {cleanup, below}
        else:
            assert raised.value is cleanup


async def lets_an_error_of_the_cleanup_out_while_cancelled(through: Through) -> None:
    """What the source raises while it is being cancelled comes out instead of the cancellation."""
    cleanup = CleanupFailed()
    source = Upstream(1, endless=True, cleanup_error=cleanup)
    async with nothing_left_running():
        with pytest.raises(CleanupFailed) as raised, CancelScope() as scope:
            await through(source.emitted()).collect(lambda _value: scope.cancel())
        assert (source.opened, source.closed) == (1, 1)
    assert raised.value is cleanup


def errors_of(error: BaseException | None) -> list[BaseException]:
    """List an error, its causes, and those of a group."""
    if error is None:
        return []
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__,)
    return [error, *(each for part in inner for each in errors_of(part))]


@asynccontextmanager
async def in_a_cancel_scope(run: Callable[[], Awaitable[object]]) -> AsyncIterator[Callable[[], object]]:
    """Run something in a child task; what is given cancels it by its scope."""
    scope = CancelScope()

    async def child() -> None:
        with scope:
            await run()

    async with create_task_group() as group:
        group.start_soon(child)
        yield scope.cancel


@asynccontextmanager
async def in_an_asyncio_task(run: Callable[[], Awaitable[object]]) -> AsyncIterator[Callable[[], object]]:
    """Run something in a task of asyncio's own; what is given cancels that."""

    async def child() -> None:
        await run()

    task = asyncio.create_task(child())
    yield task.cancel
    with pytest.raises(asyncio.CancelledError):
        await task


def ways_to_cancel() -> tuple[
    Callable[[Callable[[], Awaitable[object]]], AbstractAsyncContextManager[Callable[[], object]]], ...
]:
    """Give what runs something so that it can be cancelled; asyncio has a way of its own."""
    return (in_a_cancel_scope, in_an_asyncio_task) if on_asyncio() else (in_a_cancel_scope,)


async def lets_a_cancellation_pass(through: Through) -> None:
    """A cancellation reaches a source at once, whether it waits or the collector does; then all of it cleans up."""
    for started in ways_to_cancel():
        for held in (True, False):
            source = Upstream(2, endless=True, in_a_group=True)
            holding = Event()

            async def handle(value: int, held: bool = held, source: Upstream = source, holding: Event = holding) -> None:
                source.see(value)
                if value == 2:
                    holding.set()
                    await (sleep_forever() if held else a_while())

            run = partial(through(source.emitted()).collect, handle)
            async with nothing_left_running(), started(run) as cancel:
                await holding.wait()
                await settled()
                assert (source.cancelled, source.closed) == (0, 0)
                cancel()
                await settled()
                assert source.cancelled == 1
                assert (source.opened, source.closed) == (2, 2)
            assert source.seen == [1, 2]
            assert len(source.tasks) == 1


LAWS: tuple[Law, ...] = (
    completes,
    passes_an_error_from_above,
    passes_an_error_from_below,
    lets_a_stop_pass,
    lets_a_stop_pass_at_full_speed,
    lets_an_open_block_be_left,
    lets_an_error_of_the_cleanup_out,
    lets_a_cancellation_pass,
)


async def accepted_while_held(through: Through) -> int:
    """Count the values that a source of 200 gets rid of while the collector holds the first."""
    source = Upstream(200, paced=1)
    arrived = Event()

    async def hold(value: int) -> None:
        source.see(value)
        arrived.set()
        await sleep_forever()

    async with nothing_left_running(), in_a_cancel_scope(partial(through(source.emitted()).collect, hold)) as cancel:
        await arrived.wait()
        await settled()
        cancel()
    assert source.is_closed
    return source.accepted
