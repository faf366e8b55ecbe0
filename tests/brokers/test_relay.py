"""One connection after another, on virtual time: when attempts are made, and how long opening and closing may take."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import (
    Backoff,
    BrokerConfig,
    BrokerConnected,
    BrokerConnecting,
    BrokerState,
    BrokerWaiting,
    Guarantee,
    coroutine_scope,
    open_broker,
)
from flowsock.brokers.engine import Arrival, BrokerLost
from flowsock.testing import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from flowsock.brokers.engine import Letter, Wire

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return virtual_time(request.param)


class Loopback:
    """A connection that gives back what it is given, for some seconds."""

    def __init__(self, seconds: float) -> None:
        self._lost_at = anyio.current_time() + seconds
        self._send, self._receive = anyio.create_memory_object_stream[Arrival](1000)

    async def follow(self, topic: str, /) -> None:
        self._send.send_nowait(Arrival(self, topic, None))

    async def unfollow(self, topic: str, /) -> None: ...

    async def publish(self, letters: Sequence[Letter], /) -> Sequence[Exception]:
        for letter in letters:
            self._send.send_nowait(Arrival(self, letter.topic, letter.data))
        return ()

    async def arrivals(self) -> AsyncIterator[Arrival]:
        with self._send, self._receive:
            while True:
                arrival: Arrival | None = None
                with anyio.CancelScope(deadline=self._lost_at):
                    arrival = await self._receive.receive()
                if arrival is None:
                    raise BrokerLost("the time is over")
                yield arrival

    async def ping(self) -> None: ...

    async def newest(self, topic: str, count: int, /) -> Sequence[Arrival]:
        raise NotImplementedError

    async def since(self, topic: str, position: str, count: int, /) -> Sequence[Arrival] | None:
        raise NotImplementedError


class Engine:
    """A broker that does as it is told: for each attempt, how many seconds the connection lasts; 0 for a refusal."""

    guarantee = Guarantee.AT_MOST_ONCE
    keeps = False

    def __init__(self, *attempts: float) -> None:
        self._attempts = iter(attempts)

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Wire]:
        seconds = next(self._attempts, None)
        if seconds is None:
            await anyio.sleep_forever()
        assert seconds is not None
        if not seconds:
            raise BrokerLost("nobody there")
        yield Loopback(seconds)


@pytest.fixture
def config() -> BrokerConfig:
    return BrokerConfig(backoff=Backoff(1.0, maximum=3.0, jitter=lambda: 1.0))


def use(monkeypatch: pytest.MonkeyPatch, *attempts: float) -> None:
    monkeypatch.setattr("flowsock.brokers.broker.engine_for", lambda _url, _config: Engine(*attempts))


async def test_attempts_are_made_as_the_backoff_draws_and_afresh_after_a_connection(
    monkeypatch: pytest.MonkeyPatch, config: BrokerConfig
) -> None:
    use(monkeypatch, 0, 0, 0, 0, 10, 0, 100)
    seen: list[tuple[float, object]] = []
    begin = anyio.current_time()

    def note(state: BrokerState) -> None:
        what: object = state.seconds if isinstance(state, BrokerWaiting) else state
        seen.append((anyio.current_time() - begin, what))

    async with open_broker("test://", config=config) as broker, coroutine_scope() as scope:
        broker.state.on_each(note).launch_in(scope)
        await anyio.sleep(30)
        scope.cancel()
    assert seen == [
        (0, 1.0),
        (1, BrokerConnecting(2)),
        (1, 2.0),
        (3, BrokerConnecting(3)),
        (3, 3.0),
        (6, BrokerConnecting(4)),
        (6, 3.0),
        (9, BrokerConnecting(5)),
        (9, BrokerConnected()),
        (19, 1.0),
        (20, BrokerConnecting(1)),
        (20, 2.0),
        (22, BrokerConnecting(2)),
        (22, BrokerConnected()),
    ]


async def test_opening_waits_only_so_long(monkeypatch: pytest.MonkeyPatch, config: BrokerConfig) -> None:
    use(monkeypatch)
    begin = anyio.current_time()
    async with open_broker("test://", config=config, connect_timeout=7):
        assert anyio.current_time() - begin == 7


async def test_closing_waits_for_a_broker_that_is_away_for_a_while_only(
    monkeypatch: pytest.MonkeyPatch, config: BrokerConfig
) -> None:
    use(monkeypatch, 0)
    async with open_broker("test://", config=config, close_timeout=4) as broker:
        await broker.topic("numbers", int).emit(1)
        begin = anyio.current_time()
    assert anyio.current_time() - begin == 4


async def test_what_waits_at_the_end_still_goes_when_the_broker_comes_back(
    monkeypatch: pytest.MonkeyPatch, config: BrokerConfig
) -> None:
    use(monkeypatch, 0, 0, 100)
    async with open_broker("test://", config=config) as broker:
        await broker.topic("numbers", int).emit(1)
        begin = anyio.current_time()
    assert anyio.current_time() - begin == 3
    assert broker.statistics().published == 1


async def test_a_gap_is_told_once_for_each_lost_connection(monkeypatch: pytest.MonkeyPatch, config: BrokerConfig) -> None:
    use(monkeypatch, 10, 10, 100)
    async with open_broker("test://", config=config) as broker:
        topic = broker.topic("numbers", int, on_gap=lambda _gap: -1, replay=10)
        await topic.emit(1)
        await anyio.sleep(15)
        await topic.emit(2)
        await anyio.sleep(15)
        await topic.emit(3)
        await anyio.sleep(1)
        assert topic.replay_cache == [1, -1, 2, -1, 3]
        assert topic.statistics().gaps == 2
        assert topic.statistics().lost == 0
