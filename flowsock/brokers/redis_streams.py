"""Redis by streams: messages are kept, and announced by publish and subscribe in the same step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from flowsock.brokers.engine import Arrival, Guarantee
from flowsock.brokers.losing import losing
from flowsock.brokers.redis_pubsub import FAILURES, RedisPubSub, RedisWire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coredis.connection import BaseConnection

    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.engine import Letter, Wire

_FIELD: Final = b"m"

# Redis runs it as one step, so that the order of the announcements is the order of the stream.
_POST: Final = """\
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'm', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', KEYS[1], id .. ' ' .. ARGV[3])
return id
"""


class RedisStreams(RedisPubSub):
    """Redis, or what speaks its protocol 3, by streams."""

    guarantee = Guarantee.AT_LEAST_ONCE
    keeps = True

    def wire(self, connection: BaseConnection) -> Wire:
        """Give what speaks over a connection."""
        return RedisStreamWire(connection, self.config)


class RedisStreamWire(RedisWire):
    """One connection to Redis, subscribed to the announcements of streams."""

    prefix: ClassVar[str] = "flowsock-stream:"

    def __init__(self, connection: BaseConnection, config: BrokerConfig) -> None:
        super().__init__(connection)
        self._limits = str(config.retention), str(int(config.retention_time * 1000))

    def post(self, letter: Letter) -> Any:
        """Append one message to its stream, and give the answer."""
        return self.connection.create_request(b"EVAL", _POST, 1, self.prefix + letter.topic, *self._limits, letter.data)

    def read(self, topic: str, data: bytes) -> Arrival:
        """Take an announcement apart."""
        position, _, content = data.partition(b" ")
        return Arrival(self, topic, content, position.decode(errors="replace"))

    async def newest(self, topic: str, count: int, /) -> Sequence[Arrival]:
        entries = await self._ask(b"XREVRANGE", self.prefix + topic, "+", "-", "COUNT", count)
        return self._kept(topic, reversed(entries))

    async def since(self, topic: str, position: str, count: int, /) -> Sequence[Arrival] | None:
        if not position:
            return self._kept(topic, await self._ask(b"XRANGE", self.prefix + topic, "-", "+", "COUNT", count))
        found = self._kept(topic, await self._ask(b"XRANGE", self.prefix + topic, position, "+", "COUNT", count + 1))
        if not found or found[0].position != position:
            return None
        return found[1:]

    async def _ask(self, command: bytes, *arguments: str | int) -> Any:
        with losing(*FAILURES):
            return await self.connection.create_request(command, *arguments)

    def _kept(self, topic: str, entries: Any) -> list[Arrival]:
        return [Arrival(self, topic, _content(fields), entry.decode()) for entry, fields in entries]


def _content(fields: list[bytes]) -> bytes:
    """Give the message of an entry; whoever else wrote it, it is looked at as one of ours."""
    return dict(zip(fields[::2], fields[1::2], strict=False)).get(_FIELD, b"")
