"""Redis by publish and subscribe: fast, and nothing is kept."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from anyio import TASK_STATUS_IGNORED, BrokenResourceError, ClosedResourceError
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from flowsock.brokers.engine import Arrival, BrokerLost, Guarantee
from flowsock.scopes.groups import collapse, is_group

try:
    from coredis.connection import TCPConnection
    from coredis.exceptions import BusyLoadingError, RedisError, ResponseError
    from coredis.pool import ConnectionPool
except ImportError as error:  # pragma: no cover
    raise ImportError("redis:// needs the library coredis: pip install 'flowsock[redis]'") from error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence

    from anyio.abc import TaskStatus
    from coredis.connection import BaseConnection

    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.engine import Letter, Wire

PREFIX: Final = "flowsock:"

_FAILURES: Final = (RedisError, OSError, TimeoutError, BrokenResourceError, ClosedResourceError)


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
        with losing():
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


@contextmanager
def losing() -> Generator[None]:
    """Say with `BrokerLost` what the library and the sockets below it say in many ways."""
    try:
        yield
    except BaseExceptionGroup as group:
        # The library's task groups wrap whatever passes them.
        error = collapse(group)
        others = error.split((*_FAILURES, BrokerLost))[1] if is_group(error) else error
        if others is not None and not isinstance(others, (*_FAILURES, BrokerLost)):
            raise
        raise BrokerLost(str(error)) from error
    except _FAILURES as error:
        raise BrokerLost(str(error) or type(error).__name__) from error


class RedisWire:
    """One connection to Redis, subscribed to channels."""

    def __init__(self, connection: BaseConnection) -> None:
        self.connection = connection

    async def follow(self, topic: str, /) -> None:
        with losing():
            self.connection.send_command(b"SUBSCRIBE", PREFIX + topic)

    async def unfollow(self, topic: str, /) -> None:
        with losing():
            self.connection.send_command(b"UNSUBSCRIBE", PREFIX + topic)

    async def publish(self, letters: Sequence[Letter], /) -> Sequence[Exception]:
        refusals: list[Exception] = []
        with losing():
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
        return self.connection.create_request(b"PUBLISH", PREFIX + letter.topic, letter.data)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        with losing():
            async for push in self.connection.push_messages:
                arrival = self._arrival(push)
                if arrival is not None:
                    yield arrival
        raise BrokerLost("the connection was closed")

    def _arrival(self, push: Sequence[Any]) -> Arrival | None:
        match push:
            case [b"message", bytes(channel), bytes(data)]:
                return self.read(channel.decode(errors="replace").removeprefix(PREFIX), data)
            case [b"subscribe", bytes(channel), _]:
                return Arrival(self, channel.decode(errors="replace").removeprefix(PREFIX), None)
            case _:
                return None

    def read(self, topic: str, data: bytes) -> Arrival:
        """Give what a message of a channel stands for."""
        return Arrival(self, topic, data)

    async def ping(self) -> None:
        with losing():
            await self.connection.create_request(b"PING")

    async def newest(self, topic: str, count: int, /) -> Sequence[Arrival]:
        raise NotImplementedError("Redis keeps nothing that was published")

    async def since(self, topic: str, position: str, count: int, /) -> Sequence[Arrival] | None:
        raise NotImplementedError("Redis keeps nothing that was published")
