"""A channel that a job fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope

from flowsock.channels.capacity import RENDEZVOUS, BufferOverflow
from flowsock.channels.channel import Channel
from flowsock.emitting import FAIR_TURN, READY, TURN, settle
from flowsock.parking import new_sleeper
from flowsock.scopes.scope import coroutine_scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.scopes.job import Job
    from flowsock.scopes.scope import Scope

T = TypeVar("T")


class Producer(Channel[T]):
    """The sending end of a channel that a body fills: send from the body, or from any job of its scope.

    Law: a body that never has to wait, because its buffer has room or drops, still gives the event loop a turn every 128
    values.

    Attributes:
        scope: The scope of the body; the body has not ended before all its jobs have.

    >>> @channel_flow
    ... async def greetings(producer: Producer[str]) -> None:
    ...     await producer.send("hello")
    >>> await greetings().to_list()
    ['hello']
    """

    __slots__ = ("_turns", "scope")

    scope: Scope

    def __init__(self, capacity: int, on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND) -> None:
        super().__init__(capacity, on_buffer_overflow=on_buffer_overflow)
        self._turns = FAIR_TURN

    async def await_close(self, cleanup: Callable[[], object] = lambda: None, /) -> None:
        """Wait until this producer is closed, or its collector has ended, and then run the cleanup.

        Law: the cleanup runs on cancellation too, shielded from it. This takes the one handler of `invoke_on_close`.

        Raises:
            RuntimeError: the producer has its handler.
        """
        try:
            if not self.is_closed_for_send:
                closed = new_sleeper()
                self.invoke_on_close(lambda _cause: closed.wake())
                await closed
        finally:
            with CancelScope(shield=True):
                await settle(cleanup())

    def send(self, value: T, /) -> Awaitable[None]:
        sent = super().send(value)
        self._turns -= 1
        if self._turns:
            return sent
        self._turns = FAIR_TURN
        return TURN if sent is READY else sent


async def fill(producer: Producer[T], body: Callable[[Producer[T]], Awaitable[object]]) -> None:
    """Run a body, and wait for the jobs of its scope."""
    async with coroutine_scope() as scope:
        producer.scope = scope
        await body(producer)


class _ProducedChannel(Producer[T]):
    __slots__ = ("_job",)

    def attach(self, job: Job[None]) -> None:
        self._job = job
        job.invoke_on_completion(self._job_ended)

    def _job_ended(self, cause: BaseException | None) -> None:
        self.close(cause if isinstance(cause, Exception) else None)

    def cancel(self, cause: Exception | None = None) -> bool:
        # A sender that waits is to see the cancellation, not the end of the channel.
        self._job.cancel("its channel was cancelled", cause=cause)
        return super().cancel(cause)


def produce(
    scope: Scope,
    body: Callable[[Producer[T]], Awaitable[object]],
    /,
    *,
    capacity: int = RENDEZVOUS,
    on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND,
    name: str | None = None,
) -> Channel[T]:
    """Launch a job that sends to a new channel, and give the channel (Kotlin: ``scope.produce``).

    Law: the end of the job ends the channel, after what was sent: quietly when the body and the jobs in ``producer.scope``
    returned; with the error that failed them, which fails the scope too; with `JobCancelled` when the job was cancelled, so
    that a broken stream never looks like a whole one. Cancelling the channel cancels the job.

    Args:
        scope: The scope that owns the job.
        body: A coroutine function of the `Producer`.
        capacity: As for `Channel`.
        on_buffer_overflow: As for `Channel`.
        name: What logs and `repr` call the job; the body's name if left out.

    Raises:
        ValueError: the capacity is negative and none of the named ones.
        RuntimeError: the block that made the scope has ended.

    >>> async def count(producer):
    ...     for n in range(3):
    ...         await producer.send(n)
    >>> async with coroutine_scope() as scope:
    ...     [n async for n in produce(scope, count)]
    [0, 1, 2]
    """
    channel: _ProducedChannel[Any] = _ProducedChannel(capacity, on_buffer_overflow)
    channel.attach(scope.launch(fill, channel, body, name=name or str(getattr(body, "__qualname__", body))))
    return channel
