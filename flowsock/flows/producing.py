"""Collecting a flow into a channel, in a job of somebody's scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from flowsock.channels.channel import Channel, Nothing
from flowsock.errors import ChannelClosed

if TYPE_CHECKING:
    from flowsock.flows.source import Source
    from flowsock.scopes.job import Job
    from flowsock.scopes.scope import Scope

T = TypeVar("T")


class ProducedChannel(Channel[T]):
    """A channel that a job fills; cancelling the channel cancels the job."""

    __slots__ = ("job",)

    job: Job[None]

    def poll(self) -> T | Nothing:
        if self.job.is_completed:
            # A job that was cancelled before its first turn has closed nothing.
            self.close()
        return super().poll()

    def cancel(self, cause: Exception | None = None) -> bool:
        # A sender that waits is to see the cancellation, not the end of the channel.
        self.job.cancel()
        return super().cancel(cause)


def produce_in(source: Source[Any], scope: Scope, capacity: int) -> ProducedChannel[Any]:
    """Launch the job, and give the channel that it fills."""
    channel: ProducedChannel[Any] = ProducedChannel(capacity)

    async def run() -> None:
        try:
            await source.collect(channel.send)
        except ChannelClosed as error:
            # Whoever closed the channel wants no more.
            if channel.close(error):
                raise
        except Exception as error:
            channel.close(error)
            raise
        finally:
            channel.close()

    channel.job = scope.launch(run, name="produce_in")
    return channel
