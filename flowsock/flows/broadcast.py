"""The engine of shared flows: direct dispatch, a replay cache, and a buffer that only laggards cost anything.

Values have indices. Idle subscribers share one position, ``_front``: everything before it was dispatched to them, so an emit
touches no bookkeeping of theirs. Only a busy subscriber has an index of its own, and what is kept of it is a count per index:
the slowest one is known without looking at the others.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from anyio import WouldBlock

from flowsock.channels.capacity import BufferOverflow
from flowsock.channels.sender import SuspendedSender
from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import FAIR_TURN, READY, TURN
from flowsock.flows.dispatcher import Dispatcher
from flowsock.flows.statistics import SharedFlowStatistics
from flowsock.flows.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowsock.emitting import Emit

T = TypeVar("T")

_IDLE: Final = -1


class _Subscription(Subscriber[T]):
    """A collector of a broadcast; ``index`` is the next value it wants, while it is busy."""

    __slots__ = ("_broadcast", "index")

    def __init__(self, broadcast: Broadcast[T], chain: Emit[T], index: int) -> None:
        super().__init__(chain)
        self._broadcast = broadcast
        self.index = index

    def next_value(self) -> T | Nothing:
        return self._broadcast.pick_up(self)

    def fall_behind(self) -> None:
        self._broadcast.fall_behind(self)

    def released(self) -> None:
        self._broadcast.release(self)


class Broadcast(Dispatcher[T]):
    """Give every value to every subscriber, rules SF1 to SF10 of Kotlin's ``SharedFlow``."""

    __slots__ = (
        "_emitters",
        "_front",
        "_lagging",
        "_overflow",
        "_rendezvous",
        "_replay_from",
        "_room",
        "_slowest",
        "_tail",
        "_turns",
        "_values",
        "_waits_for_pickup",
        "dropped",
        "replay",
    )

    def __init__(self, replay: int, extra_buffer_capacity: int, on_buffer_overflow: BufferOverflow) -> None:
        super().__init__()
        if replay < 0 or extra_buffer_capacity < 0:
            raise ValueError(f"replay and extra_buffer_capacity must not be negative: {replay}, {extra_buffer_capacity}")
        capacity = replay + extra_buffer_capacity
        if capacity == 0 and on_buffer_overflow is not BufferOverflow.SUSPEND:
            raise ValueError("a dropping policy needs a buffer: give replay or extra_buffer_capacity")
        self.replay = replay
        self.dropped = 0
        self._overflow = on_buffer_overflow
        self._room = capacity or 1
        self._waits_for_pickup = capacity == 0
        self._values: deque[T] = deque()
        self._tail = 0  # the index after the newest value
        self._front = 0  # the index after the value last dispatched to the idle
        self._replay_from = 0
        self._lagging: dict[int, int] = {}  # how many busy subscribers want which index next
        self._slowest = 0  # the least key of _lagging, while there is one
        self._emitters: deque[SuspendedSender[T]] = deque()
        self._rendezvous: SuspendedSender[T] | None = None
        self._turns = FAIR_TURN

    # Emitting

    def emit(self, value: T) -> Awaitable[None]:
        if not self._subscribers:
            self._append(value)
            self._front = self._tail
            self._trim()
        elif self._emitters or self._lag() >= self._room:
            if self._overflow is BufferOverflow.SUSPEND:
                return self._suspend(value)
            self._drop_for(value)
        else:
            self._append(value)
            following = self._tail
            if not self._dispatching:
                self._dispatch()
            if self._waits_for_pickup and self._oldest() < following:
                self._rendezvous = SuspendedSender(self, value)
                return self._rendezvous
        self._turns -= 1
        if not self._turns:
            self._turns = FAIR_TURN
            return TURN
        return READY

    def emit_nowait(self, value: T) -> None:
        if self._would_suspend():
            raise WouldBlock
        if self.emit(value) is TURN:
            self._turns = 1  # the turn is for an emitter that can take it

    def _would_suspend(self) -> bool:
        if not self._subscribers or self._overflow is not BufferOverflow.SUSPEND:
            return False
        if self._waits_for_pickup:
            return self._dispatching or bool(self._lagging)
        return bool(self._emitters) or self._lag() >= self._room

    def _suspend(self, value: T) -> SuspendedSender[T]:
        emitter = SuspendedSender(self, value)
        self._emitters.append(emitter)
        return emitter

    def _drop_for(self, value: T) -> None:
        self.dropped += 1
        if self._overflow is BufferOverflow.DROP_OLDEST:
            self._skip_oldest()
            self._append(value)
            if not self._dispatching:
                self._dispatch()

    def _skip_oldest(self) -> None:
        """Move whoever still wants the oldest value past it."""
        oldest = self._oldest()
        moved = self._lagging.pop(oldest, 0)
        if moved:
            self._lagging[oldest + 1] = self._lagging.get(oldest + 1, 0) + moved
            self._slowest = oldest + 1
        if self._front == oldest:
            self._front += 1

    def _append(self, value: T) -> None:
        self._values.append(value)
        self._tail += 1

    def _dispatch(self) -> None:
        self._dispatching = True
        try:
            while self._front < self._tail:
                value = self._values[self._front - self._tail]
                self._front += 1
                self._deliver(value)
                self._admit()
        finally:
            self._dispatching = False
        self._trim()

    # Progress

    def _oldest(self) -> int:
        return min(self._slowest, self._front) if self._lagging else self._front

    def _lag(self) -> int:
        """Count the values that the slowest subscriber has not picked up."""
        return self._tail - self._oldest()

    def _admit(self) -> None:
        """Let suspended emitters in, as far as there is room now."""
        if self._rendezvous is not None and not self._lag():
            self._rendezvous.resolve()
            self._rendezvous = None
        while self._emitters and self._rendezvous is None and self._lag() < self._room:
            emitter = self._emitters.popleft()
            self._append(emitter.value)
            if self._waits_for_pickup:
                self._rendezvous = emitter
            else:
                emitter.resolve()

    def _progressed(self) -> None:
        self._admit()
        if self._dispatching:
            return
        if self._front < self._tail:
            self._dispatch()
        else:
            self._trim()

    def _trim(self) -> None:
        """Forget what neither a subscriber nor the replay cache needs."""
        self._replay_from = max(self._replay_from, self._tail - self.replay)
        keep = self._tail - min(self._replay_from, self._oldest())
        while len(self._values) > keep:
            self._values.popleft()

    def undelivered(self, value: T, /) -> None:
        """Tell nobody: whoever picked the value up keeps it, and for the others it never was."""

    def withdraw(self, emitter: SuspendedSender[T], /) -> None:
        if emitter is not self._rendezvous:
            self._emitters.remove(emitter)
            return
        self._rendezvous = None
        self._skip_oldest()
        self._progressed()

    # Subscribers

    def subscribe(self, emit: Emit[T]) -> Subscriber[T]:
        start = max(self._replay_from, self._tail - self.replay)
        subscription = _Subscription(self, emit, start)
        self._lag_at(start)
        self.join(subscription)
        return subscription

    def _lag_at(self, index: int) -> None:
        self._slowest = min(self._slowest, index) if self._lagging else index
        self._lagging[index] = self._lagging.get(index, 0) + 1

    def _unlag(self, index: int) -> bool:
        """Take one off an index; true if the slowest subscriber has moved."""
        left = self._lagging[index] - 1
        if left:
            self._lagging[index] = left
            return False
        del self._lagging[index]
        if index != self._slowest:
            return False
        if self._lagging:
            while self._slowest not in self._lagging:
                self._slowest += 1
        return True

    def _position(self, subscription: _Subscription[T]) -> int:
        # Dropping the oldest value moves counts, not subscribers.
        return max(subscription.index, self._slowest)

    def pick_up(self, subscription: _Subscription[T]) -> T | Nothing:
        index = self._position(subscription)
        if index == self._tail:
            self._unlag(index)
            subscription.index = _IDLE
            return NOTHING
        value = self._values[index - self._tail]
        self._lag_at(index + 1)
        subscription.index = index + 1
        if self._unlag(index):
            self._progressed()
        return value

    def fall_behind(self, subscription: _Subscription[T]) -> None:
        subscription.index = self._front
        self._lag_at(self._front)

    def release(self, subscription: _Subscription[T]) -> None:
        if subscription.index != _IDLE:
            self._unlag(self._position(subscription))
        # If it was the last one, this passes all suspended values through the replay cache. Whoever watches the count may emit
        # and comes after them.
        self._progressed()
        self.leave(subscription)

    # Replay

    @property
    def replay_cache(self) -> list[T]:
        start = max(self._replay_from, self._tail - self.replay)
        return [self._values[index - self._tail] for index in range(start, self._tail)]

    def reset_replay_cache(self) -> None:
        self._replay_from = self._tail
        self._trim()

    # Looking

    def statistics(self) -> SharedFlowStatistics:
        return SharedFlowStatistics(
            emitted=self._tail,
            collectors=len(self._subscribers),
            lag=self._lag(),
            suspended=len(self._emitters) + (self._rendezvous is not None),
            dropped=self.dropped,
        )
