"""How many collectors a hot flow has, as a state that hides no change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowsock.channels.capacity import UNLIMITED, BufferOverflow
from flowsock.flows.broadcast import Broadcast
from flowsock.flows.dispatcher import StateEngine

if TYPE_CHECKING:
    from flowsock.flows.dispatcher import Dispatcher


class SubscriptionCount(Broadcast[int], StateEngine[int]):
    """The number of a dispatcher's subscribers. Not conflated: somebody who comes and goes at once is seen."""

    __slots__ = ()

    conflated = False
    distinct = True

    def __init__(self, count: int) -> None:
        super().__init__(1, UNLIMITED - 1, BufferOverflow.DROP_OLDEST)
        self.emit(count)

    @property
    def value(self) -> int:
        return self.replay_cache[-1]

    def update(self, count: int, /) -> None:
        """Set the number."""
        self.emit(count)


def subscription_count(dispatcher: Dispatcher[Any]) -> SubscriptionCount:
    """Give a dispatcher's count, which it has from the first time somebody asks for it."""
    watcher = dispatcher.watcher
    if not isinstance(watcher, SubscriptionCount):
        watcher = dispatcher.watcher = SubscriptionCount(dispatcher.subscriber_count)
    return watcher
