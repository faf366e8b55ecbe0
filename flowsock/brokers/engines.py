"""Which engine a URL means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.engine import Engine


def engine_for(url: str, config: BrokerConfig) -> Engine | None:
    """Give the engine of a URL; ``None`` for ``memory://``, which needs none.

    Raises:
        ValueError: there is no such engine.
        ImportError: its library is not installed.
    """
    scheme, separator, place = url.partition("://")
    if not separator:
        raise ValueError(f"a broker's URL is like redis://localhost:6379, not {url!r}")
    match scheme:
        case "memory":
            return None
        case "redis" | "rediss":
            from flowsock.brokers.redis_pubsub import RedisPubSub

            return RedisPubSub(url, config)
        case "redis+stream" | "rediss+stream":
            from flowsock.brokers.redis_streams import RedisStreams

            return RedisStreams(f"{scheme.removesuffix('+stream')}://{place}", config)
        case "nats" | "tls":
            from flowsock.brokers.nats_core import NatsCore

            return NatsCore(url, config)
        case "nats+jetstream" | "tls+jetstream":
            from flowsock.brokers.nats_jetstream import NatsJetStream

            return NatsJetStream(f"{scheme.removesuffix('+jetstream')}://{place}", config)
        case _:
            raise ValueError(f"there is no broker {scheme}://: there are {', '.join(_SCHEMES)}")


_SCHEMES: Final = (
    "memory://",
    "redis://",
    "rediss://",
    "redis+stream://",
    "rediss+stream://",
    "nats://",
    "tls://",
    "nats+jetstream://",
    "tls+jetstream://",
)
