"""`MutableSharedFlow`: a hot flow with its emitting end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flowsock.channels.capacity import BufferOverflow
from flowsock.flows.broadcast import Broadcast
from flowsock.flows.flow import SharedFlow

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


class MutableSharedFlow(SharedFlow[T]):
    """A shared flow to emit into (Kotlin: ``MutableSharedFlow``). Like every shared flow it never completes.

    Law: without collectors, `emit` never waits and only the replay cache remembers. With collectors, ``replay +
    extra_buffer_capacity`` values wait for the slowest one; after that the policy decides. An emit from inside a collector's
    stages is queued behind the running one, never nested.

    Args:
        replay: How many of the newest values a late collector gets first.
        extra_buffer_capacity: How many more values may wait for the slowest collector.
        on_buffer_overflow: What happens to a value for which there is no room.

    Raises:
        ValueError: a size is negative, or a dropping policy has no buffer to drop from.

    >>> shared = MutableSharedFlow(replay=1)
    >>> await shared.emit("hello")
    >>> await shared.first()
    'hello'
    """

    __slots__ = ("_broadcast",)

    def __init__(
        self,
        *,
        replay: int = 0,
        extra_buffer_capacity: int = 0,
        on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND,
    ) -> None:
        self._broadcast: Broadcast[T] = Broadcast(replay, extra_buffer_capacity, on_buffer_overflow)
        super().__init__(self._broadcast)

    def emit(self, value: T, /) -> Awaitable[None]:
        """Emit a value; await the result before emitting the next.

        Law: idle collectors have handled the value, up to their first wait, when this call returns. The result has nothing to
        wait for unless the slowest collector is behind by the whole buffer. Cancelling the wait takes the value back from those
        who have not seen it.

        >>> shared = MutableSharedFlow(replay=1)
        >>> await shared.emit("hello")
        >>> await shared.first()
        'hello'
        """
        return self._broadcast.emit(value)

    def emit_nowait(self, value: T, /) -> None:
        """Emit a value if nobody has to be waited for.

        Law: without a buffer this succeeds when every collector can take the value at once (Kotlin's ``tryEmit`` never does).

        Raises:
            WouldBlock: somebody would have to be waited for; the value was not emitted.

        >>> shared = MutableSharedFlow(replay=1)
        >>> shared.emit_nowait("hello")
        >>> await shared.first()
        'hello'
        """
        self._broadcast.emit_nowait(value)

    def reset_replay_cache(self) -> None:
        """Forget the replay cache for future collectors; present ones still get what waits for them.

        Law: nothing that was emitted before reaches a collector that comes later.

        >>> shared = MutableSharedFlow(replay=2)
        >>> shared.emit_nowait("hello")
        >>> shared.reset_replay_cache()
        >>> shared.replay_cache
        []
        """
        self._broadcast.reset_replay_cache()

    @property
    def dropped(self) -> int:
        """Count the values lost to the overflow policy.

        Law: a value counts once, however many collectors lost it. What a collector's own buffer loses does not count.

        >>> shared = MutableSharedFlow(extra_buffer_capacity=1, on_buffer_overflow=BufferOverflow.DROP_LATEST)
        >>> async with coroutine_scope() as scope:
        ...     slow = shared.on_each(lambda n: sleep(9)).launch_in(scope)
        ...     await sleep(1)
        ...     await flow_of(1, 2, 3, 4).collect(shared.emit)
        ...     scope.cancel()
        >>> shared.dropped
        2
        """
        return self._broadcast.dropped

    def as_shared_flow(self) -> SharedFlow[T]:
        """Give the read-only view.

        Law: it is the same flow, without the emitting end.

        >>> shared = MutableSharedFlow(replay=1)
        >>> shared.emit_nowait("hello")
        >>> await shared.as_shared_flow().first()
        'hello'

            -1--2---
            as_shared_flow()
            -1--2---
        """
        return SharedFlow(self._broadcast)
