"""NATS by its core: fast, and nothing is kept."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from anyio import CancelScope, move_on_after

from flowsock.brokers.engine import Arrival, BrokerLost, Guarantee
from flowsock.brokers.losing import losing
from flowsock.channels.capacity import UNLIMITED
from flowsock.channels.channel import Channel

try:
    from nats.aio.client import Client
    from nats.errors import Error, MaxPayloadError, NoServersError
except ImportError as error:  # pragma: no cover
    raise ImportError("nats:// needs the library nats-py: pip install 'flowsock[nats]'") from error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from nats.aio.msg import Msg

    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.engine import Letter, Wire

_logger = logging.getLogger("flowsock")


class NatsCore:
    """NATS, by its core. Its library runs on asyncio only."""

    guarantee = Guarantee.AT_MOST_ONCE
    keeps = False

    def __init__(self, url: str, config: BrokerConfig) -> None:
        self._url = url
        self.config = config

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Wire]:
        """Open a connection.

        Raises:
            RuntimeError: this is not asyncio.
        """
        _require_asyncio()
        arrivals: Channel[Arrival] = Channel(UNLIMITED)
        client: Any = Client()
        complaints = _Complaints()
        with losing(Error):
            try:
                await client.connect(
                    self._url,
                    name=self.config.name,
                    # It tries again, and again, though it is told not to reconnect.
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=self.config.timeout,
                    ping_interval=self.config.ping_interval,
                    error_cb=complaints.take,
                    closed_cb=partial(_end, arrivals),
                )
                complaints.are_logged = True
                yield await self.wire(client, arrivals)
            except NoServersError as error:
                raise complaints.last or error from None
            finally:
                with CancelScope(shield=True), move_on_after(self.config.timeout):
                    await client.close()

    async def wire(self, client: Any, arrivals: Channel[Arrival]) -> Wire:
        """Give what speaks over a connection."""
        return NatsWire(client, arrivals, self.config)


def _require_asyncio() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("nats:// runs on asyncio only, because its library nats-py does") from None


class _Complaints:
    """What the library tells of on the side, because nobody called who could get it as an error."""

    def __init__(self) -> None:
        self.are_logged = False
        self.last: Exception | None = None

    async def take(self, error: Exception) -> None:
        self.last = error
        if self.are_logged:
            _logger.warning("NATS reports: %s", error)


async def _end(arrivals: Channel[Arrival]) -> None:
    arrivals.close(BrokerLost("the connection was closed"))


class NatsWire:
    """One connection to NATS, subscribed to subjects."""

    prefix: ClassVar[str] = "flowsock"

    def __init__(self, client: Any, arrivals: Channel[Arrival], config: BrokerConfig) -> None:
        self.client: Any = client  # of the library's types some are unknown
        self.config = config
        self._arrivals = arrivals
        self._subscriptions: dict[str, Any] = {}

    def subject(self, topic: str) -> str:
        """Give the subject of a topic: its name, with what may not be in a subject escaped."""
        name = quote(topic, safe="")
        return f"{self.prefix}.{name}" if all(name.split(".")) else f"{self.prefix}.{name.replace('.', '%2E')}"

    async def follow(self, topic: str, /) -> None:
        with losing(Error):
            self._subscriptions[topic] = await self.subscribe(topic, partial(self._take, topic))
            await self._pass()
        self._arrivals.send_nowait(Arrival(self, topic, None))

    async def subscribe(self, topic: str, take: Any) -> Any:
        """Ask for what is published, and give what ends that."""
        return await self.client.subscribe(self.subject(topic), cb=take)

    async def _take(self, topic: str, message: Msg) -> None:
        if not self._arrivals.is_closed_for_send:
            self._arrivals.send_nowait(Arrival(self, topic, message.data, self.position(message)))

    def position(self, message: Msg) -> str | None:
        """Tell where a message is kept."""
        return None

    async def unfollow(self, topic: str, /) -> None:
        with losing(Error):
            await self._subscriptions.pop(topic).unsubscribe()

    async def publish(self, letters: Sequence[Letter], /) -> Sequence[Exception]:
        refusals: list[Exception] = []
        with losing(Error):
            for letter in letters:
                try:
                    await self.client.publish(self.subject(letter.topic), letter.data)
                except MaxPayloadError as error:
                    refusals.append(error)
            await self._pass()
        return refusals

    async def _pass(self) -> None:
        """Wait until the server has seen all that was asked of it."""
        # The library writes its ping at once, before commands that it has yet to write: only a ping that is sent when
        # nothing is left to write comes after them.
        await self.client.flush(self.config.timeout)
        while self.client.pending_data_size:
            await self.client.flush(self.config.timeout)
        await self.client.flush(self.config.timeout)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        async for arrival in self._arrivals:
            yield arrival

    async def ping(self) -> None:
        with losing(Error):
            await self.client.flush(self.config.timeout)

    async def newest(self, topic: str, count: int, /) -> Sequence[Arrival]:
        raise NotImplementedError("the core of NATS keeps nothing")

    async def since(self, topic: str, position: str, count: int, /) -> Sequence[Arrival] | None:
        raise NotImplementedError("the core of NATS keeps nothing")
