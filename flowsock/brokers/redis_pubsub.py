"""Redis by publish and subscribe: fast, and nothing is kept."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from anyio import TASK_STATUS_IGNORED, BrokenResourceError, ClosedResourceError
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from flowsock.brokers.engine import Arrival, BrokerLost, Guarantee
from flowsock.brokers.losing import losing

try:
    from coredis.connection import TCPConnection
    from coredis.exceptions import BusyLoadingError, RedisError, ResponseError
    from coredis.pool import ConnectionPool
except ImportError as error:  # pragma: no cover
    raise ImportError("redis:// needs the library coredis: pip install 'flowsock[redis]'") from error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from anyio.abc import TaskStatus
    from coredis.connection import BaseConnection

    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.engine import Letter, Wire

FAILURES: Final = (RedisError, BrokenResourceError, ClosedResourceError)
"""What the library raises when a connection is of no use any more."""


class RedisPubSub:
    """Redis, or what speaks its protocol 3, by publish and subscribe."""

    guarantee = Guarantee.AT_MOST_ONCE
    keeps = False

    def __init__(self, url: str, config: BrokerConfig) -> None:
        self._url = url
        self.config = config

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Wire]:
        """Open a connection, which everything goes over: who is subscribed and who can publish is lost together."""
        config = self.config
        pool: ConnectionPool[Any] = ConnectionPool.from_url(
            self._url, client_name=config.name, stream_timeout=config.timeout, connect_timeout=config.timeout
        )
        pool.connection_class = _Connection
        with losing(*FAILURES):
            async with pool, pool.acquire() as connection:
                yield self.wire(connection)

    def wire(self, connection: BaseConnection) -> Wire:
        """Give what speaks over a connection."""
        return RedisWire(connection)


class _Connection(TCPConnection):
    """A connection that leaves nothing open when it cannot be opened itself."""

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        try:
            await super().run(task_status=task_status)
        finally:
            for each in vars(self).values():
                if isinstance(each, MemoryObjectSendStream | MemoryObjectReceiveStream):
                    each.close()


class RedisWire:
    """One connection to Redis, subscribed to channels."""

    prefix: ClassVar[str] = "flowsock:"

    def __init__(self, connection: BaseConnection) -> None:
        self.connection = connection

    async def follow(self, topic: str, /) -> None:
        with losing(*FAILURES):
            self.connection.send_command(b"SUBSCRIBE", self.prefix + topic)

    async def unfollow(self, topic: str, /) -> None:
        with losing(*FAILURES):
            self.connection.send_command(b"UNSUBSCRIBE", self.prefix + topic)

    async def publish(self, letters: Sequence[Letter], /) -> Sequence[Exception]:
        refusals: list[Exception] = []
        with losing(*FAILURES):
            # All are on their way before the first is answered.
            requests = [self.post(letter) for letter in letters]
            for request in requests:
                try:
                    await request
                except BusyLoadingError:
                    raise
                except ResponseError as error:
                    refusals.append(error)
        return refusals

    def post(self, letter: Letter) -> Any:
        """Write one message, and give its answer."""
        return self.connection.create_request(b"PUBLISH", self.prefix + letter.topic, letter.data)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        with losing(*FAILURES):
            async for push in self.connection.push_messages:
                arrival = self._arrival(push)
                if arrival is not None:
                    yield arrival
        raise BrokerLost("the connection was closed")

    def _arrival(self, push: Sequence[Any]) -> Arrival | None:
        match push:
            case [b"message", bytes(channel), bytes(data)]:
                return self.read(channel.decode(errors="replace").removeprefix(self.prefix), data)
            case [b"subscribe", bytes(channel), _]:
                return Arrival(self, channel.decode(errors="replace").removeprefix(self.prefix), None)
            case _:
                return None

    def read(self, topic: str, data: bytes) -> Arrival:
        """Give what a message of a channel stands for."""
        return Arrival(self, topic, data)

    async def ping(self) -> None:
        with losing(*FAILURES):
            await self.connection.create_request(b"PING")

    async def newest(self, topic: str, count: int, /) -> Sequence[Arrival]:
        raise NotImplementedError("Redis keeps nothing that was published")

    async def since(self, topic: str, position: str, count: int, /) -> Sequence[Arrival] | None:
        raise NotImplementedError("Redis keeps nothing that was published")
