"""Which engine a URL means, and what is said when it means none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from flowsock import App, Broker, BrokerConfig, Guarantee, open_broker
from flowsock.brokers.engines import engine_for

if TYPE_CHECKING:
    from typing import Any


@pytest.mark.parametrize(
    ("url", "engine", "guarantee"),
    [
        ("redis://localhost", "RedisPubSub", Guarantee.AT_MOST_ONCE),
        ("rediss://localhost", "RedisPubSub", Guarantee.AT_MOST_ONCE),
        ("redis+stream://localhost", "RedisStreams", Guarantee.AT_LEAST_ONCE),
        ("rediss+stream://localhost", "RedisStreams", Guarantee.AT_LEAST_ONCE),
        ("nats://localhost", "NatsCore", Guarantee.AT_MOST_ONCE),
        ("tls://localhost", "NatsCore", Guarantee.AT_MOST_ONCE),
        ("nats+jetstream://localhost", "NatsJetStream", Guarantee.AT_LEAST_ONCE),
        ("tls+jetstream://localhost", "NatsJetStream", Guarantee.AT_LEAST_ONCE),
    ],
)
def test_a_scheme_is_an_engine_with_a_guarantee(url: str, engine: str, guarantee: Guarantee) -> None:
    found = engine_for(url, BrokerConfig())
    assert type(found).__name__ == engine
    assert found is not None
    assert found.guarantee is guarantee is Broker(url).guarantee
    assert found.keeps is (guarantee is Guarantee.AT_LEAST_ONCE)


def test_memory_needs_no_engine() -> None:
    assert engine_for("memory://", BrokerConfig()) is None


@pytest.mark.parametrize("url", ["kafka://localhost", "redis+streams://localhost", "://"])
def test_other_schemes_are_refused_with_those_that_there_are(url: str) -> None:
    with pytest.raises(ValueError, match=r"there is no broker .*: there are memory://, redis://"):
        Broker(url)


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a broker's URL is like redis://localhost:6379, not 'localhost:6379'"):
        App(broker="localhost:6379")


@pytest.mark.parametrize(("url", "extra"), [("redis://localhost", "redis"), ("nats://localhost", "nats")])
def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, url: str, extra: str) -> None:
    for name in [name for name in sys.modules if name.startswith(("flowsock.brokers.redis", "flowsock.brokers.nats"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("coredis.connection", "coredis.pool", "nats.aio.client", "nats.errors"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"pip install 'flowsock\[{extra}\]'"):
        Broker(url)


@pytest.mark.parametrize("settings", [{"timeout": 0}, {"outbox_capacity": 0}, {"retention": -1}, {"close_timeout": -1}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Broker(**settings)


def test_settings_that_there_are_not_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(TypeError, match=r"no such broker setting: retries \(there are: name, outbox_capacity"):
        Broker(retries=3)


@pytest.mark.anyio
async def test_nats_says_that_it_is_for_asyncio(anyio_backend: tuple[str, Any]) -> None:
    if anyio_backend[0] != "trio":
        pytest.skip("there it runs")
    with pytest.raises(RuntimeError, match="runs on asyncio only"):
        async with open_broker("nats://127.0.0.1:1"):
            pass


@pytest.mark.anyio
async def test_another_broker_is_taken_before_and_not_while_it_is_open() -> None:
    broker = Broker("redis://127.0.0.1:1")
    topic = broker.topic("numbers", int, replay=1)
    broker.use("memory://")
    async with broker.running():
        await topic.emit(1)
        assert topic.replay_cache == [1]
        with pytest.raises(RuntimeError, match="the broker is open"):
            broker.use("memory://")
        async with broker.running():
            assert repr(broker) == "<Broker BrokerConnected()>"
        assert repr(broker) == "<Broker BrokerConnected()>"
    assert repr(broker) == "<Broker BrokerClosed()>"
