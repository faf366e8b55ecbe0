"""One collector of a hot source, dispatched to in place while it is idle.

A subscriber is *idle* (its task sleeps, ``emit`` is its chain), *busy* (its task awaits something or works through a
backlog, ``emit`` does nothing) or *closed*. The source calls ``emit`` of every subscriber without asking for its state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import FAIR_TURN, TURN, discard, ignore, waiting
from flowsock.parking import new_sleeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.emitting import Emit
    from flowsock.parking import Sleeper

T = TypeVar("T")
S = TypeVar("S", bound="Sleeper")


class End(Exception):
    """Tell `Subscriber.run` that the source has ended normally. Never leaves it."""


class Subscriber(ABC, Generic[T]):
    """Receive a hot source's values for one collector.

    Law (isolation): what the chain raises ends `run`, in the collector's own task, and nobody else notices.
    Law (suspension): what the chain returns and can be awaited is awaited in the collector's own task.
    Law (cancellation): from the moment the collector is cancelled, nothing more reaches the chain.
    """

    __slots__ = ("_chain", "_failure", "_interrupted", "_needs_task", "_pending", "_sleeper", "_start", "closed", "emit")

    def __init__(self, chain: Emit[T]) -> None:
        self.emit: Emit[T] = ignore
        self.closed = False
        self._chain = chain
        self._pending: Awaitable[object] | None = None
        self._failure: BaseException | None = None
        self._sleeper: Sleeper | None = None
        self._interrupted = False
        self._needs_task = False
        self._start: Callable[[], object] | None = None

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
        self._pending = pending
        self.occupy()

    def occupy(self) -> None:
        """Become busy with the value that is being dispatched; the collector's task asks for the next."""
        self.emit = ignore
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
            start()

    def close(self) -> None:
        """Let nothing reach the chain any more."""
        if not self.closed:
            self.closed = True
            self.emit = ignore
            pending, self._pending = self._pending, None
            if pending is not None:
                discard(pending)
            self.released()

    def interrupt(self) -> None:
        """Make `run` return as soon as it has nothing to await, without closing."""
        self._interrupted = True
        self.wake()

    # What the collector's task runs

    async def run(self, *, until_a_wait: bool = False) -> None:
        """Deliver until the source ends, the chain raises, or the task is cancelled.

        Args:
            until_a_wait: Whether to return, without closing, as soon as the chain gives something to await.
        """
        self._start = None
        try:
            await self._deliver(until_a_wait)
        except End:
            self.close()
        except BaseException:
            self.close()
            raise

    def run_without_task(self, start: Callable[[], object]) -> None:
        """Deliver the backlog and become idle, in plain code, as far as nothing has to be awaited for that.

        Args:
            start: Called once, at the first need for a task after all: `run` must then be awaited.
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

    def start_when_needed(self, start: Callable[[], object]) -> None:
        """Call ``start`` once, as soon as the subscriber needs a task, which may be now."""
        self._start = start
        self._start_if_needed()

    async def _deliver(self, until_a_wait: bool) -> None:
        turns = FAIR_TURN
        while not self._interrupted:
            if self._failure is not None:
                raise self._failure
            if self._pending is not None:
                if until_a_wait:
                    return
                await checkpoint_if_cancelled()
                waited_for, self._pending = self._pending, None
                await waited_for
                continue
            turns -= 1
            if turns:
                await checkpoint_if_cancelled()
            else:
                await TURN
                turns = FAIR_TURN
            value = self.next_value()
            if value is NOTHING:
                await self._sleep()
                turns = FAIR_TURN
                continue
            result = self._chain(value)
            if result is not None and (pending := waiting(result)) is not None:
                if until_a_wait:
                    self._pending = pending
                else:
                    await pending
        self._interrupted = False

    async def _sleep(self) -> None:
        try:
            await self.idle(new_sleeper(self.close))
        finally:
            self.rise()

    def idle(self, sleeper: S) -> S:
        """Be dispatched to in place until the collector's task is needed; give its sleeper. `rise` must follow the sleep."""
        self._sleeper = sleeper
        self.emit = self._chain
        return sleeper

    def rise(self) -> None:
        """Be dispatched to no more: the collector's task runs again."""
        self._sleeper = None
        self.emit = ignore
