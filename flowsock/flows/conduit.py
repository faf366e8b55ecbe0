"""A channel with one collector at its end: where a value changes tasks inside a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import READY
from flowsock.errors import ChannelClosed
from flowsock.flows.source import HotSource
from flowsock.flows.subscriber import End, Subscriber

if TYPE_CHECKING:
    from flowsock.channels.channel import Channel
    from flowsock.channels.receiver import Receiver
    from flowsock.emitting import Emit
    from flowsock.flows.source import Source

T = TypeVar("T")


class ChannelSubscriber(Subscriber[T]):
    """Collect a channel, dispatched to in place by whoever sends, while idle."""

    __slots__ = ("channel",)

    def __init__(self, channel: Channel[T], chain: Emit[T]) -> None:
        super().__init__(chain)
        self.channel = channel

    def next_value(self) -> T | Nothing:
        return poll(self.channel, self)

    def offer(self, value: T, /) -> bool:
        """Take a value from the sender (see `channels.receiver.Receiver`)."""
        try:
            result = self.emit(value)
            if result is not None and result is not READY:
                self.dispatched(result)
        except BaseException as error:
            self.fail(error)
        return self.emit is self._chain

    def end(self) -> None:
        """Learn that the channel was closed, or that there is something in it: the collector's task goes on."""
        self.wake()

    def fall_behind(self) -> None:
        """Leave nothing to be told: the channel keeps the backlog."""

    def give_back(self, value: T) -> None:
        self.channel.put_back(value)

    def released(self) -> None:
        self.channel.leave(self)


def poll(channel: Channel[T], receiver: Receiver[T] | None = None) -> T | Nothing:
    """Take the next value of a channel, or `NOTHING` if there is none now: then the receiver waits for it.

    Raises `End` at the end, or the channel's error.
    """
    try:
        return channel.poll(receiver)
    except ChannelClosed as error:
        # Somebody may have closed the channel with an error of this very type.
        if error is channel.cause:
            raise
        raise End from None


class HandingSubscriber(ChannelSubscriber[T]):
    """Collect a channel in the collector's own task only: the sender hands a value over and goes on.

    This is what a buffer over a cold flow needs, where the producer must not run the collector's code.
    """

    __slots__ = ("_handed",)

    def __init__(self, channel: Channel[T], chain: Emit[T]) -> None:
        super().__init__(channel, chain)
        self._handed: T | Nothing = NOTHING

    def next_value(self) -> T | Nothing:
        handed, self._handed = self._handed, NOTHING
        return super().next_value() if handed is NOTHING else handed

    def offer(self, value: T, /) -> bool:
        self._handed = value
        self.wake()
        return False

    def released(self) -> None:
        super().released()
        if self._handed is not NOTHING:
            self.channel.undelivered(self._handed)


class ChannelSource(HotSource[T]):
    """The values of a channel; several collectors share them out among themselves."""

    __slots__ = ("channel",)

    def __init__(self, channel: Channel[T]) -> None:
        self.channel = channel

    def subscribe(self, emit: Emit[T]) -> Subscriber[T]:
        return HandingSubscriber(self.channel, emit)


class ConsumedSource(ChannelSource[T]):
    """The values of a channel for one collector, with whom the channel ends."""

    __slots__ = ("_taken",)

    def __init__(self, channel: Channel[T]) -> None:
        super().__init__(channel)
        self._taken = False

    async def collect(self, emit: Emit[T]) -> None:
        if self._taken:
            raise RuntimeError("this flow consumes its channel, so it can be collected only once: use as_flow(channel)")
        self._taken = True
        with self.channel.consume():
            await super().collect(emit)


async def feed(source: Source[T], channel: Channel[T]) -> None:
    """Send every value of a source, and then close the channel."""
    await source.collect(channel.send)
    channel.close()
