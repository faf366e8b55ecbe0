"""Collecting a flow into a channel, in a job of somebody's scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowsock.channels.capacity import BufferOverflow
from flowsock.channels.producing import produce
from flowsock.errors import ChannelClosed
from flowsock.flows.operators.buffering import buffered

if TYPE_CHECKING:
    from flowsock.channels.channel import Channel
    from flowsock.channels.producing import Producer
    from flowsock.flows.source import Source
    from flowsock.scopes.scope import Scope


def produce_in(source: Source[Any], scope: Scope, capacity: int) -> Channel[Any]:
    """Launch the job, and give the channel that it fills; it takes the place of the source's own, if that has one."""
    channeled = buffered(source, capacity, BufferOverflow.SUSPEND)

    async def body(producer: Producer[Any]) -> None:
        try:
            await channeled.produce(producer)
        except ChannelClosed:
            # Whoever closed the channel wants no more.
            if not producer.is_closed_for_send:
                raise

    return produce(scope, body, capacity=channeled.capacity, on_buffer_overflow=channeled.overflow, name="produce_in")
