"""Channels: values handed from senders to receivers, each value to one receiver."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from anyio import WouldBlock
from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.channels.capacity import RENDEZVOUS, UNLIMITED, UNUSED, BufferOverflow, resolve_capacity
from flowsock.channels.clauses import OnReceive, OnSend
from flowsock.channels.receiver import SuspendedReceiver
from flowsock.channels.sender import SuspendedSender
from flowsock.channels.statistics import ChannelStatistics
from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import READY, settle
from flowsock.errors import ChannelCancelled, ChannelClosed
from flowsock.scopes.groups import raise_together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
    from types import TracebackType

    from flowsock.channels.receiver import Receiver
    from flowsock.channels.sender import Sender
    from flowsock.clause import Clause

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C")


class Channel(Generic[T]):
    """Hand values from senders to receivers, each value to exactly one receiver (Kotlin: ``Channel``).

    Law: values arrive in the order they were sent; senders and receivers are served first come, first served. `close` lets
    everything already sent be received and then ends the receivers; `cancel` drops it and fails both sides. A value that was
    handed to a receiver belongs to it: a cancellation in the same moment is seen at the receiver's next checkpoint.

    Args:
        capacity: How many values wait without a receiver: a number, or `RENDEZVOUS`, `BUFFERED`, `CONFLATED`, `UNLIMITED`.
        on_buffer_overflow: What happens to a value that does not fit.
        on_undelivered: Is called with each value that nobody will ever receive, unless `send_nowait` refused it. What it raises
            comes out of the call that lost the value: ``send``, ``receive`` or ``cancel``.

    Raises:
        ValueError: the capacity is negative, or `CONFLATED` came with a policy.

    >>> channel = Channel(capacity=2)
    >>> await channel.send("hello")
    >>> await channel.receive()
    'hello'
    """

    __slots__ = (
        "_buffer",
        "_capacity",
        "_cause",
        "_cause_traceback",
        "_closed",
        "_dropped",
        "_on_close",
        "_on_undelivered",
        "_overflow",
        "_receivers",
        "_senders",
    )

    def __init__(
        self,
        capacity: int = RENDEZVOUS,
        *,
        on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND,
        on_undelivered: Callable[[T], object] | None = None,
    ) -> None:
        self._capacity, self._overflow = resolve_capacity(capacity, on_buffer_overflow)
        self._on_undelivered = on_undelivered
        self._buffer: deque[T] = UNUSED
        self._senders: deque[Sender[T]] = UNUSED
        self._receivers: list[Receiver[T]] = []  # nearly always none or one, and a deque would take ten times as much
        self._closed = False
        self._cause: Exception | None = None
        self._cause_traceback: TracebackType | None = None
        self._dropped = 0
        self._on_close: Callable[[Exception | None], object] | None = None

    # Sending

    def send(self, value: T, /) -> Awaitable[None]:
        """Send a value; await the result before sending the next.

        Law: the value takes its place in the order at the call, and nothing is waited for while there is room. Cancelling
        the wait takes the value back.

        Raises:
            ChannelClosed: the channel was closed (or whatever error it was closed with).
        """
        if self.hand(value):
            return READY
        if self._closed:
            self.undelivered(value)
        if self._keep(value):
            return READY
        sender = SuspendedSender(self, value)
        self.enqueue(sender)
        return sender

    def send_nowait(self, value: T, /) -> None:
        """Send a value if there is room for it now.

        Raises:
            WouldBlock: there is none; the value was not sent.
            ChannelClosed: the channel was closed (or whatever error it was closed with).
        """
        if not self.accept(value):
            raise WouldBlock

    def accept(self, value: T) -> bool:
        """Take a value if that is possible now; false if its sender has to wait. Raises like `send_nowait` at the end."""
        return self.hand(value) or self._keep(value)

    def hand(self, value: T) -> bool:
        """Give a value to whoever has waited longest, if anybody waits."""
        receivers = self._receivers
        if not receivers:
            return False
        receiver = receivers.pop(0)
        if receiver.offer(value):
            if self._buffer or self._senders or self._closed:
                # The receiver itself sent to, or closed, this channel.
                receiver.end()
            else:
                receivers.append(receiver)
        return True

    def _keep(self, value: T) -> bool:
        if self._closed:
            raise self.ended("nothing can be sent any more")
        if len(self._buffer) < self._capacity:
            if self._buffer is UNUSED:
                self._buffer = deque()
            self._buffer.append(value)
            return True
        if self._overflow is BufferOverflow.SUSPEND:
            return False
        self._drop(value)
        return True

    def _drop(self, value: T) -> None:
        self._dropped += 1
        if self._overflow is BufferOverflow.DROP_OLDEST:
            oldest = self._buffer.popleft()
            self._buffer.append(value)
            self.undelivered(oldest)
        else:
            self.undelivered(value)

    def enqueue(self, sender: Sender[T]) -> None:
        """Put a sender into the queue, after `accept` gave false."""
        if self._senders is UNUSED:
            self._senders = deque()
        self._senders.append(sender)

    def withdraw(self, sender: Sender[T]) -> None:
        """Take a suspended sender out of the queue, if it is there."""
        with suppress(ValueError):
            self._senders.remove(sender)

    def undelivered(self, value: T) -> None:
        """Report a value that was accepted or offered and will never be received."""
        if self._on_undelivered is not None:
            self._on_undelivered(value)

    # Receiving

    @overload
    async def receive(self) -> T: ...
    @overload
    async def receive(self, *, closed: C) -> T | C: ...
    async def receive(self, *, closed: Any = NOTHING) -> Any:
        """Receive the next value, waiting for it.

        Args:
            closed: What to give at the end of the channel, instead of raising `ChannelClosed` (Kotlin: ``receiveCatching``); an
                error it was closed with is raised all the same.

        Raises:
            ChannelClosed: the channel was closed and is empty (or whatever error it was closed with).

        >>> channel = Channel(1)
        >>> channel.send_nowait("last")
        >>> channel.close()
        True
        >>> await channel.receive(closed=None), await channel.receive(closed=None)
        ('last', None)
        """
        if closed is not NOTHING and self.is_closed_for_receive:
            return self.end_as(closed)
        value = self.poll()
        if value is not NOTHING:
            return value
        # A task that cancelled itself must not take a value from those who come before it learns of that.
        await checkpoint_if_cancelled()
        receiver: SuspendedReceiver[T] = SuspendedReceiver(lambda: self.leave(receiver))
        self.wait(receiver)
        try:
            await receiver.sleeper
        except BaseException:
            if receiver.value is not NOTHING:
                self.undelivered(receiver.value)
            raise
        return self.end_as(closed) if receiver.value is NOTHING else receiver.value

    def receive_nowait(self) -> T:
        """Receive a value if there is one now.

        Raises:
            WouldBlock: there is none.
            ChannelClosed: the channel was closed and is empty (or whatever error it was closed with).

        >>> channel = Channel(1)
        >>> channel.receive_nowait()
        Traceback (most recent call last):
        anyio.WouldBlock
        """
        value = self.poll()
        if value is NOTHING:
            raise WouldBlock
        return value

    def poll(self, receiver: Receiver[T] | None = None) -> T | Nothing:
        """Take the next value, or `NOTHING` if there is none now: then the receiver, if any, gets into the queue.

        Raises like `receive_nowait` at the end.
        """
        if self._buffer:
            value = self._buffer.popleft()
            if self._senders:
                self._buffer.append(self._next_sender())
            return value
        if self._senders:
            return self._next_sender()
        if self._closed:
            raise self.ended("nothing more can be received")
        if receiver is not None:
            self._receivers.append(receiver)
        return NOTHING

    def _next_sender(self) -> T:
        sender = self._senders.popleft()
        sender.resolve(None)
        return sender.value

    def ended(self, consequence: str) -> Exception:
        """Give what a use of the channel after its end raises."""
        if self._cause is None:
            return ChannelClosed(f"this channel was closed: {consequence}")
        # Each raise would otherwise add its own frames to those that tell where the cause comes from.
        return self._cause.with_traceback(self._cause_traceback)

    def end_as(self, closed: C | Nothing) -> C:
        """Give what stands for the end of the channel; raises if there is nothing, or if the channel has a cause."""
        if closed is NOTHING or self._cause is not None:
            raise self.ended("nothing more can be received")
        return closed

    def put_back(self, value: T) -> None:
        """Take a value again that its receiver did not get to see: it is the next one."""
        if not self.hand(value):
            if self._buffer is UNUSED:
                self._buffer = deque()
            self._buffer.appendleft(value)

    def wait(self, receiver: Receiver[T]) -> None:
        """Put a receiver into the queue, after `poll` gave `NOTHING`."""
        self._receivers.append(receiver)

    def leave(self, receiver: Receiver[Any]) -> None:
        """Take a receiver out of the queue, if it is there."""
        if receiver in self._receivers:
            self._receivers.remove(receiver)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.receive()
        except ChannelClosed:
            if self._cause is not None:
                raise
            raise StopAsyncIteration from None

    @contextmanager
    def consume(self) -> Generator[Channel[T]]:
        """Cancel the channel when the block ends, however it ends: ``with channel.consume(): …`` (Kotlin: ``consume``).

        Law: an error that leaves the block becomes the cause. A plain ``async for`` that is left early leaves the channel open.

        >>> with Channel().consume() as channel:
        ...     channel.is_closed_for_send
        False
        >>> channel.is_closed_for_send
        True
        """
        try:
            yield self
        except BaseException as error:
            self.cancel(error if isinstance(error, Exception) else None)
            raise
        self.cancel()

    async def consume_each(self, fn: Callable[[T], object]) -> None:
        """Call a function, sync or async, with each value until the channel ends; then, or on failure, cancel it.

        Raises:
            Exception: what the channel was closed with, or what the function raised.
        """
        with self.consume():
            async for value in self:
                await settle(fn(value))

    async def to_list(self) -> list[T]:
        """Collect the values until the channel ends; cancel it if that fails.

        Raises:
            Exception: what the channel was closed with.
        """
        values: list[T] = []
        await self.consume_each(values.append)
        return values

    # Selecting

    @overload
    def on_receive(self, fn: None = None) -> Clause[T]: ...
    @overload
    def on_receive(self, fn: None = None, *, closed: C) -> Clause[T | C]: ...
    @overload
    def on_receive(self, fn: Callable[[T], Awaitable[R]]) -> Clause[R]: ...
    @overload
    def on_receive(self, fn: Callable[[T], Awaitable[R]], *, closed: C) -> Clause[R | C]: ...
    @overload
    def on_receive(self, fn: Callable[[T], R]) -> Clause[R]: ...
    @overload
    def on_receive(self, fn: Callable[[T], R], *, closed: C) -> Clause[R | C]: ...
    def on_receive(self, fn: Callable[[T], Any] | None = None, *, closed: object = NOTHING) -> Clause[Any]:
        """Make a clause of `select` that receives the next value (Kotlin: ``onReceive``).

        Law: it fails the select like `receive` when the channel is, or gets, closed and empty.

        Args:
            fn: Makes the select's result of the value, which is the result if left out.
            closed: The result at the end of the channel, instead of `ChannelClosed`; an error it was closed with is raised.

        >>> channel = Channel(1)
        >>> await channel.send(2)
        >>> await select(channel.on_receive(lambda n: n * 10))
        20
        """
        return OnReceive(self, fn, closed)

    @overload
    def on_send(self, value: T, fn: None = None) -> Clause[None]: ...
    @overload
    def on_send(self, value: T, fn: Callable[[], Awaitable[R]]) -> Clause[R]: ...
    @overload
    def on_send(self, value: T, fn: Callable[[], R]) -> Clause[R]: ...
    def on_send(self, value: T, fn: Callable[[], Any] | None = None) -> Clause[Any]:
        """Make a clause of `select` that sends a value (Kotlin: ``onSend``).

        Law: it fails the select like `send`. A value that stays behind is reported to ``on_undelivered``.

        Args:
            fn: Makes the select's result, which is ``None`` if left out.

        >>> channel = Channel(1)
        >>> await select(channel.on_send("hello", lambda: "sent"))
        'sent'
        """
        return OnSend(self, value, fn)

    # Ending

    def close(self, cause: Exception | None = None) -> bool:
        """Send the end: what was sent before can still be received; then receivers end, or raise the cause.

        Returns:
            True for the call that closed the channel.

        >>> channel = Channel(2)
        >>> await flow_of(1, 2).collect(channel.send)
        >>> channel.close(), [value async for value in channel]
        (True, [1, 2])
        """
        if not self._end(cause):
            return False
        self._tell_closed()
        return True

    def cancel(self, cause: Exception | None = None) -> bool:
        """Close the channel and drop what was not received; both sides raise `ChannelCancelled`, or the cause.

        Law: after `close` it only drops what is left, and the end stays what it was.

        Returns:
            True for the call that closed the channel.
        """
        ended_now = self._end(ChannelCancelled("this channel was cancelled") if cause is None else cause)
        dropped = [*self._buffer]
        self._buffer.clear()
        while self._senders:
            # One by one, because a select that ends here withdraws all the senders that it has in the queue.
            sender = self._senders.popleft()
            dropped.append(sender.value)
            sender.resolve(self.ended("the value that waited to be sent was dropped"))
        try:
            self._all_undelivered(dropped)
        finally:
            if ended_now:
                self._tell_closed()
        return ended_now

    def _end(self, cause: Exception | None) -> bool:
        if self._closed:
            return False
        self._closed = True
        self._cause = cause
        self._cause_traceback = None if cause is None else cause.__traceback__
        receivers, self._receivers = self._receivers, []
        for receiver in receivers:
            receiver.end()
        return True

    def _all_undelivered(self, values: Iterable[T]) -> None:
        errors: list[Exception] = []
        for value in values:
            try:
                self.undelivered(value)
            except Exception as error:
                errors.append(error)
        raise_together("several calls of on_undelivered failed", errors)

    def invoke_on_close(self, handler: Callable[[Exception | None], object], /) -> None:
        """Call a function at the moment the channel is closed or cancelled (Kotlin: ``invokeOnClose``).

        Law: a channel has one handler, ever. It is called once, in place, and must not wait: with ``None`` after a plain
        `close`, else with the cause, which is a `ChannelCancelled` after a plain `cancel`; at once if the channel has ended.
        What it raises comes out of the call that closed the channel, which stays closed.

        Raises:
            RuntimeError: the channel has its handler.
        """
        if self._on_close is not None:
            raise RuntimeError("this channel has a handler of its end already")
        self._on_close = handler
        if self._closed:
            self._tell_closed()

    def _tell_closed(self) -> None:
        if self._on_close is not None:
            self._on_close(self._cause)

    @property
    def cause(self) -> Exception | None:
        """Give the error that the channel was closed with."""
        return self._cause

    @property
    def is_closed_for_send(self) -> bool:
        """Tell whether the channel was closed or cancelled."""
        return self._closed

    @property
    def is_closed_for_receive(self) -> bool:
        """Tell whether the channel was closed and nothing is left in it."""
        return self._closed and not self._buffer and not self._senders

    @property
    def is_empty(self) -> bool:
        """Tell whether the channel is open for receiving and holds no value now."""
        return not (self._closed or self._buffer or self._senders)

    def __len__(self) -> int:
        return len(self._buffer)

    def __bool__(self) -> bool:
        return True

    def statistics(self) -> ChannelStatistics:
        """Count what the channel holds now."""
        return ChannelStatistics(len(self._buffer), len(self._senders), len(self._receivers), self._dropped)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        capacity = "unlimited" if self._capacity == UNLIMITED else self._capacity
        return f"<Channel {state} size={len(self._buffer)}/{capacity}>"
