"""What a topic promises, on every broker."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import anyio
import msgspec
import pytest

from flowsock import BrokerConnected, BufferOverflow, Guarantee, coroutine_scope
from tests.brokers.conftest import two_brokers

if TYPE_CHECKING:
    from tests.brokers.servers import BrokerPlace

pytestmark = pytest.mark.anyio

_numbers = count()


class Said(msgspec.Struct, frozen=True):
    who: str
    text: str


@pytest.fixture
def name() -> str:
    """Give a topic that no other test has."""
    return f"chat.{next(_numbers)}"


async def test_a_message_reaches_the_collectors_of_both_processes_once(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as brokers, coroutine_scope() as scope:
        here, there = [broker.topic(name, Said, replay=2) for broker in brokers]
        await here.wait_joined()
        await there.wait_joined()
        collectors = [scope.launch(topic.take(3).to_list) for topic in (here, there)]
        await here.subscription_count.first(lambda n: n > 0)
        await there.subscription_count.first(lambda n: n > 0)
        with anyio.fail_after(10):
            for text in ("a", "b", "c"):
                await here.emit(Said("ann", text))
            for each in collectors:
                assert await each == [Said("ann", text) for text in "abc"]
        assert here.replay_cache == [Said("ann", "b"), Said("ann", "c")]
        assert here.statistics().duplicates == here.statistics().lost == 0


async def test_all_collectors_see_one_order_whoever_emits(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as brokers, coroutine_scope() as scope:
        here, there = [broker.topic(name, int) for broker in brokers]
        await here.wait_joined()
        await there.wait_joined()
        seen = [scope.launch(topic.take(200).to_list) for topic in (here, there)]
        for topic in (here, there):
            await topic.subscription_count.first(lambda n: n >= (2 if here is there else 1))

        async def emit(topic: object, first: int) -> None:
            for n in range(first, first + 100):
                await (here if topic is here else there).emit(n)

        with anyio.fail_after(10):
            scope.launch(emit, here, 0)
            scope.launch(emit, there, 1000)
            one, other = [await each for each in seen]
        if place.scheme != "nats":
            assert one == other
        for each in (one, other):
            assert [n for n in each if n < 1000] == list(range(100))
            assert [n for n in each if n >= 1000] == list(range(1000, 1100))


async def test_an_emit_comes_back_though_the_topic_was_just_made(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as (here, _):
        topic = here.topic(name, str, replay=1)
        await topic.emit("hello")
        with anyio.fail_after(10):
            assert await topic.first() == "hello"


async def test_text_bytes_and_both_pass_as_they_are(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as (here, there):
        topics = [broker.topic(name, str | bytes, replay=3) for broker in (here, there)]
        for topic in topics:
            await topic.wait_joined()
        await topics[0].emit("grüße\n\x00")
        await topics[0].emit(bytes(range(256)))
        await topics[0].emit("")
        with anyio.fail_after(10):
            assert await topics[1].take(3).to_list() == ["grüße\n\x00", bytes(range(256)), ""]


async def test_msgpack_passes(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as (here, there):
        topics = [broker.topic(name, Said, replay=1, codec="msgpack") for broker in (here, there)]
        for topic in topics:
            await topic.wait_joined()
        await topics[0].emit(Said("ann", "hi"))
        with anyio.fail_after(10):
            assert await topics[1].first() == Said("ann", "hi")


async def test_a_slow_collector_with_a_buffer_of_its_own_slows_nobody(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as brokers, coroutine_scope() as scope:
        here, there = [broker.topic(name, int) for broker in brokers]
        await there.wait_joined()
        stuck: list[int] = []

        async def stick(n: int) -> None:
            stuck.append(n)
            await anyio.sleep_forever()

        there.buffer(2, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(stick).launch_in(scope)
        quick = scope.launch(there.take(300).to_list)
        await there.subscription_count.first(lambda n: n == 2)
        with anyio.fail_after(10):
            for n in range(300):
                await here.emit(n)
            assert await quick == list(range(300))
        assert stuck == [0]
        scope.cancel()


async def test_a_closed_topic_hears_nothing_more_and_its_name_is_free(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as (here, there):
        first = there.topic(name, str, replay=9)
        await first.wait_joined()
        first.close()
        first.close()
        second = there.topic(name, str, replay=9)
        await second.wait_joined()
        await here.topic(name, str, replay=9).emit("hello")
        with anyio.fail_after(10):
            assert await second.first() == "hello"
        assert first.replay_cache == []


async def test_a_topic_of_the_same_name_is_the_same_and_must_be_asked_for_alike(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as (here, _):
        assert here.topic(name, str, replay=1) is here.topic(name, str, replay=1)
        with pytest.raises(ValueError, match="was asked for with other settings before"):
            here.topic(name, str, replay=2)
        with pytest.raises(ValueError, match="a topic needs a name"):
            here.topic("", str)
        with pytest.raises(TypeError, match="no codec"):
            here.topic(name + "x", object)


async def test_names_may_be_anything(place: BrokerPlace) -> None:
    async with two_brokers(place) as (here, there):
        for name in ("räume/1 a", "a..b.", "*", ">", "a\nb", "x" * 150):
            topic = there.topic(name, str, replay=1)
            await topic.wait_joined()
            await here.topic(name, str, replay=1).emit(name)
            with anyio.fail_after(10):
                assert await topic.first() == name


async def test_state_guarantee_and_statistics_tell(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as (here, _):
        assert here.state.value == BrokerConnected()
        assert here.guarantee in Guarantee
        topic = here.topic(name, str, replay=1)
        await topic.emit("hello")
        await here.flush()
        assert here.statistics().topics == 1
        assert here.statistics().waiting == 0
        if place.server is not None:
            assert here.statistics().published == 1
            assert here.statistics().connections == 1


async def test_what_was_emitted_before_a_collector_came_is_replayed_from_the_broker(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place) as (here, there):
        first = here.topic(name, int, replay=3)
        for n in range(5):
            await first.emit(n)
        await here.flush()
        late = there.topic(name, int, replay=3)
        await late.wait_joined()
        await first.emit(5)
        if place.keeps:
            with anyio.fail_after(10):
                assert await late.take(4).to_list() == [2, 3, 4, 5]
        elif place.server is not None:
            with anyio.fail_after(10):
                assert await late.first() == 5


async def test_messages_that_cannot_go_are_refused_where_they_are_emitted(place: BrokerPlace, name: str) -> None:
    async with two_brokers(place, max_message_size=10) as (here, _):
        topic = here.topic(name, str)
        if place.server is None:
            return
        with pytest.raises(ValueError, match="a message of 11 bytes is too large for topic"):
            await topic.emit("x" * 11)
        with pytest.raises(ValueError, match="a message of 12 bytes"):
            topic.emit_nowait("ü" * 6)
        await topic.emit("x" * 10)
        await here.flush()
        assert here.statistics().published == 1
