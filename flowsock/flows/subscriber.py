"""One collector of a hot source, dispatched to in place while it is idle.

A subscriber is *idle* (its task sleeps, ``emit`` is its chain), *busy* (its task awaits something or works through a
backlog, ``emit`` does nothing) or *closed*. The source calls ``emit`` of every subscriber without asking for its state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import FAIR_TURN, TURN, discard, ignore, waiting
from flowsock.parking import new_sleeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from flowsock.emitting import Emit
    from flowsock.parking import Waiter

T = TypeVar("T")
S = TypeVar("S")
WaiterT = TypeVar("WaiterT", bound="Waiter")


class End(Exception):
    """Tell `Subscriber.run` that the source has ended normally. Never leaves it."""


class Subscriber(ABC, Generic[T]):
    """Receive a hot source's values for one collector.

    Law (isolation): what the chain raises ends `run`, in the collector's own task, and nobody else notices.
    Law (suspension): what the chain returns and can be awaited is awaited in the collector's own task.
    Law (cancellation): from the moment the collector is cancelled, nothing more reaches the chain.
    """

    __slots__ = ("_chain", "_failure", "_needs_task", "_pending", "_sleeper", "_start", "closed", "emit")

    def __init__(self, chain: Emit[T]) -> None:
        self.emit: Emit[T] = ignore
        self.closed = False
        self._chain = chain
        self._pending: Awaitable[object] | None = None
        self._failure: BaseException | None = None
        self._sleeper: Waiter | None = None
        self._needs_task = False
        self._start: Waiter | None = None

    # What a kind of source decides

    @abstractmethod
    def next_value(self) -> T | Nothing:
        """Take the next value of the backlog; `NOTHING` makes the subscriber idle; raise `End` or an error at the end."""

    @abstractmethod
    def fall_behind(self) -> None:
        """Learn that the subscriber just became busy with the value that is being dispatched."""

    def give_back(self, value: T) -> None:
        """Learn, after the end, that the collector did not see a value: nothing is to be done if it had one of its own."""

    @abstractmethod
    def released(self) -> None:
        """Learn, once, that the subscriber is closed."""

    # What the source calls

    def dispatched(self, result: object) -> None:
        """Look at what `emit` returned, if that was anything but ``None``."""
        pending = waiting(result)
        if pending is None:
            return
        if self.closed:
            discard(pending)
            return
        self.emit = ignore
        self._pending = pending
        self.fall_behind()
        self.wake()

    def fail(self, error: BaseException) -> None:
        """Take what `emit` raised: the collector's task will raise it."""
        if not self.closed:
            self._failure = error
            self.close()
            self.wake()

    def wake(self) -> None:
        """Let the collector's task look at the state again; without one, start it."""
        if self._sleeper is not None:
            self._sleeper.wake()
        else:
            self._needs_task = True
            self._start_if_needed()

    def _start_if_needed(self) -> None:
        if self._needs_task and self._start is not None:
            start, self._start = self._start, None
            start.wake()

    def close(self) -> None:
        """Let nothing reach the chain any more."""
        if not self.closed:
            self.closed = True
            self.emit = ignore
            pending, self._pending = self._pending, None
            if pending is not None:
                discard(pending)
            self.released()

    # What the collector's task runs

    def run(self) -> Coroutine[Any, Any, None]:
        """Deliver until the source ends, the chain raises, or the task is cancelled."""
        return self.deliver(_as_it_is, self, in_passing=False)

    def begin(self) -> Coroutine[Any, Any, None]:
        """Deliver until there is something to await, or nothing to do: whoever `is_idle` then needs no task for now.

        `start_when_needed` tells when `run` must be awaited after all. The source may have ended by then: see ``closed``.
        """
        return self.deliver(_as_it_is, self, in_passing=True)

    @property
    def is_idle(self) -> bool:
        """Tell, without a task, whether there is nothing to do but to be dispatched to."""
        return not (self.closed or self._needs_task)

    def run_without_task(self, start: Waiter) -> None:
        """Deliver the backlog and become idle, in plain code, as far as nothing has to be awaited for that.

        Args:
            start: Woken once, at the first need for a task after all: `run` must then be awaited.
        """
        while (value := self.next_value()) is not NOTHING:
            pending = waiting(self._chain(value))
            if pending is not None:
                self._pending = pending
                self._needs_task = True
                break
        else:
            self.emit = self._chain
        self.start_when_needed(start)

    def start_when_needed(self, start: Waiter) -> None:
        """Wake ``start`` once, as soon as the subscriber needs a task, which may be now."""
        self._start = start
        self._start_if_needed()

    @staticmethod
    async def deliver(subscribe: Callable[[S], Subscriber[Any]], argument: S, *, in_passing: bool = False) -> None:
        """Subscribe at the first step, and `run` or `begin`: all in one coroutine, because thousands of them sleep here."""
        subscriber = subscribe(argument)
        del subscribe, argument
        subscriber._start = None
        turns = FAIR_TURN
        try:
            while not subscriber.closed:
                if subscriber._pending is not None:
                    if in_passing:
                        return
                    await checkpoint_if_cancelled()
                    waited_for, subscriber._pending = subscriber._pending, None
                    await waited_for
                    continue
                turns -= 1
                if not turns:
                    turns = FAIR_TURN
                    await TURN
                    continue
                await checkpoint_if_cancelled()
                value = subscriber.next_value()
                if value is NOTHING:
                    if in_passing:
                        subscriber.emit = subscriber._chain
                        return
                    try:
                        await subscriber.idle(new_sleeper(subscriber.close))
                    finally:
                        subscriber.rise()
                    turns = FAIR_TURN
                    continue
                result = subscriber._chain(value)
                if result is not None and (pending := waiting(result)) is not None:
                    if in_passing:
                        subscriber._pending, subscriber._needs_task = pending, True
                        return
                    await pending
            if subscriber._failure is not None:
                raise subscriber._failure
        except End:
            subscriber.close()
        except BaseException:
            subscriber.close()
            raise

    def idle(self, sleeper: WaiterT) -> WaiterT:
        """Be dispatched to in place until the collector's task is needed; give its sleeper. `rise` must follow the sleep."""
        self._sleeper = sleeper
        self.emit = self._chain
        return sleeper

    def rise(self) -> None:
        """Be dispatched to no more: the collector's task runs again."""
        self._sleeper = None
        self.emit = ignore


def _as_it_is(subscriber: Subscriber[T]) -> Subscriber[T]:
    return subscriber
