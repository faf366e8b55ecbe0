"""Waiting for the first of several things: exactly one of them happens."""

from __future__ import annotations

from contextlib import ExitStack
from math import isnan
from random import sample
from typing import TYPE_CHECKING, Any, TypeVar, overload

from anyio import move_on_after
from anyio.lowlevel import checkpoint_if_cancelled
from attrs import frozen

from flowsock.channels.clauses import OnReceive, OnSend
from flowsock.clause import NOTHING, Clause, nothing_to_withdraw, result_of
from flowsock.emitting import FAIR_TURN, TURN
from flowsock.parking import new_sleeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from flowsock.clause import Selection
    from flowsock.parking import Sleeper

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


@overload
async def select(a: Clause[A], b: Clause[B], /) -> A | B: ...
@overload
async def select(a: Clause[A], b: Clause[B], c: Clause[C], /) -> A | B | C: ...
@overload
async def select(a: Clause[A], b: Clause[B], c: Clause[C], d: Clause[D], /) -> A | B | C | D: ...
@overload
async def select(*clauses: Clause[T]) -> T: ...
async def select(*clauses: Clause[Any]) -> Any:
    """Wait until one of the clauses can happen, let it happen, and return its result (Kotlin: ``select``).

    Law: exactly one clause takes effect; the others leave no trace. Of several that can happen at once the first listed wins,
    and a clause that fails counts as one that can happen. The winner's function, sync or async, runs in the calling task
    after the choice, and may wait. A value that was handed over belongs to the select, as it does to ``receive``.

    Args:
        clauses: Made by `Channel.on_receive`, `Channel.on_send`, `Job.on_join`, `Job.on_await` and `on_timeout`.

    Raises:
        ValueError: there is no clause, or the select would both send to and receive from one channel.
        TypeError: something else than a clause was given.
        ChannelClosed: the winner's channel was closed (or whatever error it was closed with).

    >>> channel = Channel()
    >>> await select(channel.on_receive(), on_timeout(5, lambda: "nothing came"))
    'nothing came'
    """
    return await _select(clauses)


@overload
async def select_unbiased(a: Clause[A], b: Clause[B], /) -> A | B: ...
@overload
async def select_unbiased(a: Clause[A], b: Clause[B], c: Clause[C], /) -> A | B | C: ...
@overload
async def select_unbiased(a: Clause[A], b: Clause[B], c: Clause[C], d: Clause[D], /) -> A | B | C | D: ...
@overload
async def select_unbiased(*clauses: Clause[T]) -> T: ...
async def select_unbiased(*clauses: Clause[Any]) -> Any:
    """Wait like `select`, and choose by chance among the clauses that can happen at once (Kotlin: ``selectUnbiased``).

    Law: all that `select` promises, except for its order: the clauses are shuffled first.

    Raises:
        ValueError: there is no clause, or the select would both send to and receive from one channel.
        TypeError: something else than a clause was given.
        ChannelClosed: the winner's channel was closed (or whatever error it was closed with).

    >>> one, other = Channel(1), Channel(1)
    >>> await other.send("hello")
    >>> await select_unbiased(one.on_receive(), other.on_receive())
    'hello'
    """
    return await _select(sample(clauses, len(clauses)))


async def while_select(*clauses: Clause[bool]) -> None:
    """Select again and again, until the winner's result is false (Kotlin: ``whileSelect``).

    Law: all that `select` promises, each time. If nothing has to be waited for, it still gives the event loop a turn every
    128 times. ``while await select(...)`` is the same with clauses that are made anew each time.

    Args:
        clauses: Give true to go on, such as ``channel.on_receive(handle, closed=False)``.

    Raises:
        ValueError: there is no clause, or the select would both send to and receive from one channel.
        TypeError: something else than a clause was given.
        ChannelClosed: the winner's channel was closed (or whatever error it was closed with).

    >>> channel = Channel(2)
    >>> await flow_of("a", "b").collect(channel.send)
    >>> await while_select(channel.on_receive(lambda text: print(text) is None), on_timeout(1, lambda: False))
    a
    b
    """
    turns = FAIR_TURN
    while await _select(clauses):
        turns -= 1
        if not turns:
            turns = FAIR_TURN
            await TURN


@overload
def on_timeout(seconds: float, fn: None = None) -> Clause[None]: ...
@overload
def on_timeout(seconds: float, fn: Callable[[], Awaitable[T]]) -> Clause[T]: ...
@overload
def on_timeout(seconds: float, fn: Callable[[], T]) -> Clause[T]: ...
def on_timeout(seconds: float, fn: Callable[[], Any] | None = None) -> Clause[Any]:
    """Make a clause that wins if no other did for a time (Kotlin: ``onTimeout``).

    Law: with 0 or less it can happen at once, so that, listed last, it is what a `select` does instead of waiting.

    Args:
        seconds: The time, counted from the call of `select`.
        fn: Makes the select's result, which is ``None`` if left out.

    Raises:
        ValueError: the time is not a number.

    >>> async with coroutine_scope() as scope:
    ...     job = scope.launch(sleep, 3)
    ...     await select(job.on_join(lambda: "done"), on_timeout(5, lambda: "too late"))
    'done'
    """
    if isnan(seconds):
        raise ValueError("seconds must be a number")
    return _OnTimeout(seconds, fn)


@frozen(eq=False)
class _OnTimeout(Clause[Any]):
    seconds: float
    fn: Callable[[], Any] | None

    def poll(self) -> object:
        return None if self.seconds <= 0 else NOTHING

    def register(self, _selection: Selection, /) -> Callable[[], object]:
        # The select sleeps no longer than the shortest of its timeouts says.
        return nothing_to_withdraw

    async def finish(self, _outcome: None, /) -> Any:
        return None if self.fn is None else await result_of(self.fn)


async def _select(clauses: Sequence[Clause[Any]]) -> Any:
    _check(clauses)
    selection = _Selection(clauses)
    winner = await selection.decide()
    return await winner.finish(selection.outcome)


def _check(clauses: Sequence[object]) -> None:
    if not clauses:
        raise ValueError("select needs at least one clause")
    for clause in clauses:
        if not isinstance(clause, Clause):
            raise TypeError(f"not a clause, such as channel.on_receive() makes: {clause!r}")
    sending = {clause.channel for clause in clauses if isinstance(clause, OnSend)}
    if any(clause.channel in sending for clause in clauses if isinstance(clause, OnReceive)):
        raise ValueError("a select cannot both send to and receive from one channel")


class _Selection:
    """One call of `select`: at most one clause is ever chosen."""

    __slots__ = ("_clauses", "_over", "_sleeper", "_winner", "_withdrawals", "outcome")

    def __init__(self, clauses: Sequence[Clause[Any]]) -> None:
        self._clauses = clauses
        self._over = False
        self._sleeper: Sleeper | None = None
        self._winner: Clause[Any] | None = None
        self._withdrawals: list[Callable[[], object]] = []
        self.outcome: Any = NOTHING

    async def decide(self) -> Clause[Any]:
        """Poll, and wait if need be; give the clause that won."""
        try:
            with ExitStack() as losers:
                self._poll(losers)
                if self._winner is None:
                    await self._wait()
        except BaseException:
            if self._winner is not None:
                self._winner.discard(self.outcome)
            raise
        assert self._winner is not None
        return self._winner

    def _poll(self, losers: ExitStack) -> None:
        for clause in self._clauses:
            losers.callback(self._tell_if_lost, clause)
        for clause in self._clauses:
            outcome = clause.poll()
            if outcome is not NOTHING:
                self.choose(clause, outcome)
                return

    def _tell_if_lost(self, clause: Clause[Any]) -> None:
        if clause is not self._winner:
            clause.lost()

    async def _wait(self) -> None:
        # A task that cancelled itself must not take anything from those who come before it learns of that.
        await checkpoint_if_cancelled()
        self._sleeper = sleeper = new_sleeper(self._end)
        timeouts = (clause for clause in self._clauses if isinstance(clause, _OnTimeout))
        shortest = min(timeouts, key=lambda clause: clause.seconds, default=None)
        try:
            for clause in self._clauses:
                self._withdrawals.append(clause.register(self))
            if shortest is None:
                await sleeper
            else:
                await self._wait_or_expire(sleeper, shortest)
        finally:
            self._end()

    async def _wait_or_expire(self, sleeper: Sleeper, shortest: _OnTimeout) -> None:
        with move_on_after(shortest.seconds):
            await sleeper
        if self._winner is None:
            self._winner, self.outcome = shortest, None

    def choose(self, clause: Clause[Any], outcome: object, /) -> None:
        if self._over:
            return
        self._winner, self.outcome = clause, outcome
        self._end()
        if self._sleeper is not None:
            self._sleeper.wake()

    def _end(self) -> None:
        # At once, not when the task runs again: whoever comes next must not meet a clause that can no longer win.
        self._over = True
        withdrawals, self._withdrawals = self._withdrawals, []
        for withdraw in withdrawals:
            withdraw()
