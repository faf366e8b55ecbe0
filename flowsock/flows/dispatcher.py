"""What shared flows and state flows have in common: subscribers, and giving each a value in place."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from flowsock.emitting import READY
from flowsock.flows.source import HotSource

if TYPE_CHECKING:
    from flowsock.flows.statistics import SharedFlowStatistics
    from flowsock.flows.subscriber import Subscriber

T = TypeVar("T")


class CountWatcher(Protocol):
    """Is told each time a collector comes or goes."""

    def update(self, count: int, /) -> None:
        """Learn the number of collectors."""
        ...


class Dispatcher(HotSource[T]):
    """Know the subscribers, in the order they came, and dispatch to them."""

    __slots__ = ("_dispatching", "_snapshot", "_subscribers", "watcher")

    direct = True

    def __init__(self) -> None:
        self._subscribers: dict[Subscriber[T], None] = {}
        self._snapshot: tuple[Subscriber[T], ...] | None = ()
        self._dispatching = False
        self.watcher: CountWatcher | None = None

    @property
    @abstractmethod
    def replay_cache(self) -> list[T]:
        """Copy what a late collector would get first, oldest first."""

    @abstractmethod
    def statistics(self) -> SharedFlowStatistics:
        """Count what was emitted, and who has not picked it up."""

    @property
    def subscriber_count(self) -> int:
        """Count the collectors."""
        return len(self._subscribers)

    def join(self, subscriber: Subscriber[T]) -> None:
        """Count a collector in."""
        self._subscribers[subscriber] = None
        self._changed()

    def leave(self, subscriber: Subscriber[T]) -> None:
        """Count a collector out."""
        del self._subscribers[subscriber]
        self._changed()

    def _changed(self) -> None:
        # Made anew only when it is needed, so that a mass of joins or leaves costs one pass, not one each.
        self._snapshot = None
        if self.watcher is not None:
            self.watcher.update(len(self._subscribers))

    def _deliver(self, value: T) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            snapshot = self._snapshot = tuple(self._subscribers)
        for subscriber in snapshot:
            try:
                result = subscriber.emit(value)
                if result is not None and result is not READY:
                    subscriber.dispatched(result)
            except BaseException as error:
                subscriber.fail(error)

    def fail_all(self, error: BaseException) -> None:
        """Let all collectors that there are fail."""
        for subscriber in tuple(self._subscribers):
            subscriber.fail(error)

    @abstractmethod
    def _dispatch(self) -> None:
        """Deliver everything that idle subscribers have not seen, in order; called when no dispatch is running."""


class StateEngine(Dispatcher[T]):
    """A dispatcher that has a current value."""

    __slots__ = ()

    conflated: ClassVar[bool]
    """Whether a busy collector skips to the newest value."""
    distinct: bool
    """Whether no collector gets a value that is the same, by identity or equality, as the one before."""

    @property
    @abstractmethod
    def value(self) -> T:
        """Give the current value."""
