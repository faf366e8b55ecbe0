"""NATS by JetStream: messages are kept."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from anyio import fail_after
from nats.errors import Error
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RePublish, StreamConfig
from nats.js.errors import APIError, BadRequestError, NotFoundError, ServiceUnavailableError

from flowsock.brokers.engine import Arrival, BrokerLost, Guarantee
from flowsock.brokers.losing import losing
from flowsock.brokers.nats_core import NatsCore, NatsWire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg

    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.engine import Letter, Wire
    from flowsock.channels.channel import Channel

_STREAM: Final = "flowsock"
_LIVE: Final = "flowsock-live"


class NatsJetStream(NatsCore):
    """NATS, by a stream of JetStream, which the first client makes: later ones take its limits as they are."""

    guarantee = Guarantee.AT_LEAST_ONCE
    keeps = True

    async def wire(self, client: Any, arrivals: Channel[Arrival]) -> Wire:
        """Give what speaks over a connection."""
        wire = JetStreamWire(client, arrivals, self.config)
        await wire.make_stream()
        return wire


class JetStreamWire(NatsWire):
    """One connection to NATS, subscribed to what the stream publishes again as soon as it has it, in its order."""

    prefix: ClassVar[str] = "flowsock-kept"

    def __init__(self, client: Any, arrivals: Channel[Arrival], config: BrokerConfig) -> None:
        super().__init__(client, arrivals, config)
        self._stream: Any = client.jetstream(timeout=config.timeout)

    async def make_stream(self) -> None:
        """Make the stream, if there is none."""
        stream = StreamConfig(
            name=_STREAM,
            subjects=[f"{self.prefix}.>"],
            max_msgs_per_subject=self.config.retention,
            max_age=self.config.retention_time,
            republish=RePublish(src=f"{self.prefix}.>", dest=f"{_LIVE}.{self.prefix}.>"),
        )
        with suppress(BadRequestError):
            await self._stream.add_stream(stream)
        found = await self._stream.stream_info(_STREAM)
        if found.config.republish is None:
            raise BrokerLost(f"the stream {_STREAM!r} does not publish again what it has: it is none of flowsock's, delete it")

    async def subscribe(self, topic: str, take: Any) -> Any:
        """Ask for what the stream publishes again: a consumer for each topic would be too much for the server."""
        return await self.client.subscribe(f"{_LIVE}.{self.subject(topic)}", cb=take)

    def position(self, message: Msg) -> str | None:
        """Tell where a message is kept."""
        return (message.headers or {}).get("Nats-Sequence")

    async def publish(self, letters: Sequence[Letter], /) -> Sequence[Exception]:
        refusals: list[Exception] = []
        with losing(Error), fail_after(self.config.timeout):
            # All are on their way before the first is acknowledged.
            sent = [await self._stream.publish_async(self.subject(letter.topic), letter.data) for letter in letters]
            for result in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(result, APIError) and not isinstance(result, ServiceUnavailableError):
                    refusals.append(result)
                elif isinstance(result, Exception):
                    raise result
        return refusals

    async def newest(self, topic: str, count: int, /) -> Sequence[Arrival]:
        if count > 1:
            return (await self._read(topic, 1, self.config.retention))[-count:]
        with losing(Error):
            try:
                last = await self._stream.get_last_msg(_STREAM, self.subject(topic))
            except NotFoundError:
                return []
        return [Arrival(self, topic, last.data or b"", str(last.seq))]

    async def since(self, topic: str, position: str, count: int, /) -> Sequence[Arrival] | None:
        if position and not await self._keeps(topic, int(position)):
            return None
        return await self._read(topic, int(position or 0) + 1, count)

    async def _keeps(self, topic: str, sequence: int) -> bool:
        with losing(Error):
            try:
                found = await self._stream.get_msg(_STREAM, seq=sequence)
            except NotFoundError:
                return False
        return bool(found.subject == self.subject(topic))

    async def _read(self, topic: str, start: int, count: int) -> list[Arrival]:
        policy = DeliverPolicy.BY_START_SEQUENCE
        config = ConsumerConfig(deliver_policy=policy, opt_start_seq=start, ack_policy=AckPolicy.NONE, mem_storage=True)
        with losing(Error):
            reader = await self._stream.pull_subscribe(self.subject(topic), stream=_STREAM, config=config)
            info = await reader.consumer_info()
            wanted, found = min(count, info.num_pending or 0), list[Arrival]()
            while len(found) < wanted:
                messages = await reader.fetch(wanted - len(found), timeout=self.config.timeout)
                found += [Arrival(self, topic, each.data, str(each.metadata.sequence.stream)) for each in messages]
            await reader.unsubscribe()
            await self._stream.delete_consumer(_STREAM, info.name)
        return found
