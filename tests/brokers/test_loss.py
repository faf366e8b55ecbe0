"""Brokers that are not there, go, hang, or hand out rubbish: what is lost is told, and nothing else is lost."""

from __future__ import annotations

import logging
import pickle
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import (
    Broker,
    BrokerClosed,
    BrokerConnected,
    BrokerWaiting,
    BufferOverflow,
    Gap,
    MessagesLost,
    Topic,
    WouldBlock,
    coroutine_scope,
    open_broker,
    raise_gap,
)
from flowsock.brokers.engine import Letter
from flowsock.brokers.engines import engine_for
from flowsock.brokers.envelope import Envelope
from tests.brokers.conftest import two_brokers
from tests.brokers.proxy import proxy
from tests.brokers.servers import quick

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.brokers.servers import BrokerPlace

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

BOUND = 15.0


async def until_connected(broker: Broker, connections: int = 1) -> None:
    with anyio.fail_after(BOUND):
        while broker.statistics().connections < connections or broker.state.value != BrokerConnected():  # noqa: ASYNC110
            await anyio.sleep(0.01)


@asynccontextmanager
async def collected(topic: Topic[int]) -> AsyncGenerator[list[int]]:
    """Give the list that the values of a topic go to."""
    seen: list[int] = []
    async with coroutine_scope() as scope:
        topic.on_each(seen.append).launch_in(scope)
        await topic.subscription_count.first(lambda n: n > 0)
        yield seen
        scope.cancel()


async def until_seen(seen: list[int], value: int) -> None:
    with anyio.fail_after(BOUND):
        while value not in seen:  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def publish_raw(url: str, topic: str, *messages: bytes) -> None:
    """Write bytes into a topic as somebody would who does not know flowsock."""
    config = Broker()._config
    engine = engine_for(url, config)
    assert engine is not None
    async with engine.connect() as wire:
        await wire.publish([Letter(topic, message) for message in messages])


async def test_73_a_broker_that_is_not_there_at_the_start_is_waited_for(own_place: BrokerPlace) -> None:
    assert own_place.server is not None
    own_place.server.kill()
    async with open_broker(own_place.url, **quick()) as broker:
        topic = broker.topic("numbers", int, replay=3)
        assert not isinstance(broker.state.value, BrokerConnected)
        for n in range(3):
            await topic.emit(n)
        assert broker.statistics().waiting == 3
        own_place.server.start()
        with anyio.fail_after(BOUND):
            assert await topic.take(3).to_list() == [0, 1, 2]
        assert topic.statistics().lost == 0
    assert broker.state.value == BrokerClosed()


async def test_73_after_a_restart_under_load_all_comes_or_a_gap_is_told(own_place: BrokerPlace) -> None:
    assert own_place.server is not None
    async with two_brokers(own_place) as (here, there):
        sender, receiver = here.topic("numbers", int), there.topic("numbers", int)
        await receiver.wait_joined()
        gaps: list[Gap] = []
        async with collected(receiver) as seen, coroutine_scope() as scope:
            receiver.gaps.on_each(gaps.append).launch_in(scope)

            async def emit() -> None:
                for n in range(600):
                    await sender.emit(n)
                    await anyio.sleep(0.002)

            job = scope.launch(emit)
            await until_seen(seen, 100)
            own_place.server.kill()
            await there.state.first(lambda state: isinstance(state, BrokerWaiting))
            await anyio.sleep(0.3)
            own_place.server.start()
            with anyio.fail_after(BOUND):
                await job
                await here.flush()
            await until_seen(seen, 599)
            assert seen == sorted(set(seen)), "in order, and nothing twice"
            assert there.statistics().connections == 2
            missing = 600 - len(seen)
            if own_place.keeps:
                assert missing == 0
                assert receiver.statistics().lost == 0
            else:
                assert gaps
                assert receiver.statistics().lost >= missing or gaps[0].lost is None
            scope.cancel()


async def test_73_a_connection_that_is_cut_is_opened_again_and_what_was_missed_is_fetched(own_place: BrokerPlace) -> None:
    assert own_place.server is not None
    async with (
        proxy(own_place.server.port) as line,
        open_broker(own_place.url, **quick()) as here,
        open_broker(own_place.url_at(line.port), **quick()) as there,
    ):
        sender, receiver = here.topic("numbers", int), there.topic("numbers", int)
        await receiver.wait_joined()
        async with collected(receiver) as seen:
            await sender.emit(0)
            await until_seen(seen, 0)
            line.refuses = True
            line.cut()
            await there.state.first(lambda state: isinstance(state, BrokerWaiting))
            for n in range(1, 500):
                await sender.emit(n)
            await here.flush()
            line.refuses = False
            await until_connected(there, 2)
            await receiver.wait_joined()
            with anyio.fail_after(BOUND):
                while receiver.statistics().gaps == 0 and 499 not in seen:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            await sender.emit(500)
            await until_seen(seen, 500)
            assert seen == (list(range(501)) if own_place.keeps else [0, 500])
            statistics = receiver.statistics()
            assert (statistics.lost, statistics.gaps) == ((0, 0) if own_place.keeps else (499, 1))


async def test_73_a_network_that_is_silent_is_found_out_and_nothing_emitted_is_lost(own_place: BrokerPlace) -> None:
    assert own_place.server is not None
    settings = quick(timeout=0.3, ping_interval=0.1)
    async with (
        proxy(own_place.server.port) as line,
        open_broker(own_place.url, **quick()) as here,
        open_broker(own_place.url_at(line.port), **settings) as there,
    ):
        receiver, sender = here.topic("numbers", int), there.topic("numbers", int)
        await receiver.wait_joined()
        await sender.wait_joined()
        async with collected(receiver) as seen:
            line.pause()
            for n in range(10):
                await sender.emit(n)
            with anyio.fail_after(BOUND):
                await there.state.first(lambda state: isinstance(state, BrokerWaiting))
            line.cut()
            line.resume()
            await until_seen(seen, 9)
            assert seen == list(range(10))


async def test_73_what_is_sent_again_because_nobody_knows_comes_once(own_place: BrokerPlace) -> None:
    """The broker takes the messages, and its answer is lost."""
    assert own_place.server is not None
    async with two_brokers(own_place) as (here, _):
        receiver = here.topic("numbers", int)
        await receiver.wait_joined()
        data = [Envelope("abc", n, str(n)).pack() for n in range(1, 6)]
        async with collected(receiver) as seen:
            await publish_raw(own_place.url, "numbers", *data[:3])
            await publish_raw(own_place.url, "numbers", *data[1:])
            await until_seen(seen, 5)
            assert seen == [1, 2, 3, 4, 5]
            assert receiver.statistics().duplicates == 2


async def test_73_a_gap_is_counted_told_and_logged(own_place: BrokerPlace, caplog: pytest.LogCaptureFixture) -> None:
    async with two_brokers(own_place) as (here, _), coroutine_scope() as scope:
        receiver = here.topic("numbers", int, on_gap=lambda gap: -(gap.lost or 0))
        await receiver.wait_joined()
        told = scope.launch(receiver.gaps.first)
        await receiver.gaps.subscription_count.first(lambda n: n > 0)
        async with collected(receiver) as seen:
            await publish_raw(own_place.url, "numbers", Envelope("abc", 1, "1").pack(), Envelope("abc", 5, "5").pack())
            await until_seen(seen, 5)
            assert seen == [1, -3, 5]
        gap = await told
        assert (gap.topic, gap.lost) == ("numbers", 3)
        assert receiver.statistics().lost == 3
        assert receiver.statistics().gaps == 1
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "3 messages of 'numbers' are lost: they never came"
    ]


async def test_73_a_gap_ends_the_collectors_where_that_is_wanted(own_place: BrokerPlace) -> None:
    async with two_brokers(own_place) as (here, _), coroutine_scope() as scope:
        receiver = here.topic("numbers", int, on_gap=raise_gap)
        await receiver.wait_joined()
        job = scope.launch(collect_and_catch, receiver)
        await receiver.subscription_count.first(lambda n: n > 0)
        await publish_raw(own_place.url, "numbers", Envelope("abc", 1, "1").pack(), Envelope("abc", 3, "3").pack())
        with anyio.fail_after(BOUND):
            error = await job
        assert error.gap.lost == 1
        async with collected(receiver) as seen:
            await publish_raw(own_place.url, "numbers", Envelope("abc", 4, "4").pack())
            await until_seen(seen, 4)


async def collect_and_catch(topic: Topic[int]) -> MessagesLost:
    with pytest.raises(MessagesLost) as caught:
        await topic.collect()
    return caught.value


async def test_74_junk_pickles_and_what_is_too_large_are_dropped_and_counted(own_place: BrokerPlace) -> None:
    async with two_brokers(own_place, max_message_size=1000) as (here, _):
        receiver = here.topic("numbers", int)
        await receiver.wait_joined()
        async with collected(receiver) as seen:
            await publish_raw(
                own_place.url,
                "numbers",
                b"",
                b"\x00\xff",
                pickle.dumps(1),
                Envelope("abc", 1, '"text"').pack(),
                Envelope("abc", 1, "[" * 900).pack(),
                Envelope("abc", 1, " " * 1100).pack(),
                Envelope("abc", 1, "1").pack(),
            )
            await until_seen(seen, 1)
            assert seen == [1]
        statistics = receiver.statistics()
        assert (statistics.junk, statistics.oversized, statistics.received) == (5, 1, 1)


async def test_75_a_slow_broker_makes_emitters_wait_and_loses_nothing(own_place: BrokerPlace) -> None:
    assert own_place.server is not None
    async with (
        proxy(own_place.server.port) as line,
        open_broker(own_place.url_at(line.port), **quick(outbox_capacity=8, timeout=5.0)) as broker,
    ):
        topic = broker.topic("numbers", int)
        await topic.wait_joined()
        line.delay = 0.05
        async with collected(topic) as seen:
            most = 0
            for n in range(100):
                await topic.emit(n)
                most = max(most, broker.statistics().waiting)
            await until_seen(seen, 99)
            assert seen == list(range(100))
            assert most <= 8 + 1 + 128


@pytest.mark.parametrize("policy", [BufferOverflow.DROP_OLDEST, BufferOverflow.DROP_LATEST])
async def test_75_the_outbox_drops_and_counts_where_that_is_wanted(own_place: BrokerPlace, policy: BufferOverflow) -> None:
    assert own_place.server is not None
    own_place.server.kill()
    async with open_broker(own_place.url, **quick(outbox_capacity=3, on_outbox_overflow=policy)) as broker:
        topic = broker.topic("numbers", int, replay=5)
        for n in range(10):
            await topic.emit(n)
        assert broker.statistics().dropped == 7
        own_place.server.start()
        kept = [7, 8, 9] if policy is BufferOverflow.DROP_OLDEST else [0, 1, 2]
        with anyio.fail_after(BOUND):
            assert await topic.take(3).to_list() == kept
        assert topic.statistics().lost == 0, "what its own policy drops is no gap"


async def test_75_a_full_outbox_is_said_to_those_who_do_not_wait(own_place: BrokerPlace) -> None:
    assert own_place.server is not None
    own_place.server.kill()
    async with open_broker(own_place.url, **quick(outbox_capacity=1, close_timeout=0.1)) as broker:
        topic = broker.topic("numbers", int)
        topic.emit_nowait(1)
        with pytest.raises(WouldBlock):
            topic.emit_nowait(2)
        with anyio.move_on_after(0.05) as waited:
            await topic.emit(3)
        assert waited.cancelled_caught
        assert broker.statistics().waiting == 1


async def test_75_a_slow_collector_slows_no_other_topic_and_its_loss_is_counted(own_place: BrokerPlace) -> None:
    async with two_brokers(own_place, inbox_capacity=16) as (here, there), coroutine_scope() as scope:
        slow, quick_one = there.topic("slow", int, extra_buffer_capacity=1), there.topic("quick", int)
        await slow.wait_joined()
        await quick_one.wait_joined()
        gate = anyio.Event()
        late: list[int] = []

        async def wait(n: int) -> None:
            late.append(n)
            await gate.wait()

        slow.on_each(wait).launch_in(scope)
        await slow.subscription_count.first(lambda n: n > 0)
        async with collected(quick_one) as seen:
            for n in range(200):
                await here.topic("slow", int, extra_buffer_capacity=1).emit(n)
            await here.topic("quick", int).emit(1)
            await until_seen(seen, 1)
        gate.set()
        await until_seen(late, 199)
        assert late == sorted(set(late))
        if own_place.keeps:
            assert late == list(range(200)), "what did not fit is fetched again"
        else:
            assert slow.statistics().lost == 200 - len(late) > 0
            assert slow.statistics().gaps >= 1
        scope.cancel()


async def test_76_two_workers_of_one_name_are_two(own_place: BrokerPlace) -> None:
    async with two_brokers(own_place, name="worker") as (here, there):
        topics = [broker.topic("numbers", int, replay=4) for broker in (here, there)]
        for topic in topics:
            await topic.wait_joined()
        for n in range(2):
            for topic in topics:
                await topic.emit(n)
        for topic in topics:
            with anyio.fail_after(BOUND):
                assert sorted(await topic.take(4).to_list()) == [0, 0, 1, 1]
            assert topic.statistics().duplicates == 0
