"""Sending and receiving as clauses of a select; made by `Channel.on_send` and `Channel.on_receive`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from flowsock.clause import NOTHING, Clause, result_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.channels.channel import Channel
    from flowsock.clause import Selection

_END: Final = object()


@frozen(eq=False)
class OnReceive(Clause[Any]):
    """Receive the next value of a channel."""

    channel: Channel[Any]
    fn: Callable[[Any], Any] | None
    closed: Any

    def poll(self) -> object:
        return _END if self.channel.is_closed_for_receive else self.channel.poll()

    def register(self, selection: Selection, /) -> Callable[[], object]:
        receiver = _SelectingReceiver(self, selection)
        self.channel.wait(receiver)
        return partial(self.channel.leave, receiver)

    async def finish(self, outcome: Any, /) -> Any:
        if outcome is _END:
            return self.channel.end_as(self.closed)
        return outcome if self.fn is None else await result_of(self.fn, outcome)

    def discard(self, outcome: Any, /) -> None:
        if outcome is not _END:
            self.channel.undelivered(outcome)


@frozen(eq=False)
class _SelectingReceiver:
    """A place in the channel's queue of receivers."""

    clause: OnReceive
    selection: Selection

    def offer(self, value: object, /) -> bool:
        self.selection.choose(self.clause, value)
        return False

    def end(self) -> None:
        self.selection.choose(self.clause, _END)


@frozen(eq=False)
class OnSend(Clause[Any]):
    """Send a value to a channel."""

    channel: Channel[Any]
    value: Any
    fn: Callable[[], Any] | None

    def poll(self) -> object:
        if self.channel.is_closed_for_send:
            self.channel.undelivered(self.value)
            return self.channel.ended("nothing can be sent any more")
        return None if self.channel.accept(self.value) else NOTHING

    def register(self, selection: Selection, /) -> Callable[[], object]:
        sender = _SelectingSender(self, selection)
        self.channel.enqueue(sender)
        return partial(self.channel.withdraw, sender)

    async def finish(self, outcome: Exception | None, /) -> Any:
        if outcome is not None:
            raise outcome
        return None if self.fn is None else await result_of(self.fn)

    def lost(self) -> None:
        self.channel.undelivered(self.value)


@frozen(eq=False)
class _SelectingSender:
    """A place in the channel's queue of senders."""

    clause: OnSend
    selection: Selection

    @property
    def value(self) -> Any:
        return self.clause.value

    def resolve(self, outcome: Exception | None, /) -> None:
        self.selection.choose(self.clause, outcome)
