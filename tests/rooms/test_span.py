"""Rooms that reach over several processes, which here share a topic in memory, and lose what the test takes from it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest
from anyio import sleep

from flowsock import CloseReason, Job, MutableSharedFlow, Rooms, coroutine_scope
from flowsock.rooms.control import Alive, Ask, Came, Control, Kick, Present, Went
from tests.rooms.support import chat_over, member
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

Topic: TypeAlias = MutableSharedFlow[Control[str]]


def new_topic() -> Topic:
    return MutableSharedFlow(extra_buffer_capacity=64)


@asynccontextmanager
async def spanning(topic: Topic, *several: Rooms[str]) -> AsyncGenerator[list[Job[object]]]:
    async with coroutine_scope() as scope:
        jobs: list[Job[object]] = [scope.launch(rooms.span, topic) for rooms in several]
        await settled()
        yield jobs
        scope.cancel()


@pytest.fixture
def here() -> Rooms[str]:
    return Rooms()


@pytest.fixture
def there() -> Rooms[str]:
    return Rooms()


async def test_who_comes_and_goes_is_seen_everywhere(here: Rooms[str], there: Rooms[str]) -> None:
    async with spanning(new_topic(), here, there), member(chat_over(here), "a", "ann"):
        async with member(chat_over(there), "a", "bob"):
            await settled()
            assert here.presence_of("a") == there.presence_of("a") == {"ann", "bob"}
        await settled()
        assert here["a"].presence.value == {"ann"}
        assert "a" not in there
        assert there.presence_of("a") == {"ann"}


async def test_a_process_that_begins_later_learns_who_is_in(here: Rooms[str], there: Rooms[str]) -> None:
    topic = new_topic()
    async with spanning(topic, here), member(chat_over(here), "a", "ann"), spanning(topic, there):
        assert there.presence_of("a") == {"ann"}


async def test_a_process_that_begins_later_is_known_at_once(here: Rooms[str], there: Rooms[str]) -> None:
    topic = new_topic()
    async with spanning(topic, here), member(chat_over(there), "a", "bob"), spanning(topic, there):
        assert here.presence_of("a") == {"bob"}


async def test_a_process_that_says_good_bye_has_nobody_in(here: Rooms[str], there: Rooms[str]) -> None:
    async with spanning(new_topic(), here, there) as jobs, member(chat_over(there), "a", "bob"):
        await settled()
        assert here.presence_of("a") == {"bob"}
        jobs[1].cancel()
        await jobs[1].join()
        await settled()
        assert here.presence_of("a") == frozenset()
        assert there.presence_of("a") == {"bob"}


async def test_whoever_stops_forgets_the_others(here: Rooms[str], there: Rooms[str]) -> None:
    topic = new_topic()
    async with spanning(topic, there), member(chat_over(there), "a", "bob"), member(chat_over(here), "a", "ann"):
        async with spanning(topic, here):
            assert here["a"].presence.value == {"ann", "bob"}
        assert here["a"].presence.value == {"ann"}


async def test_a_process_that_is_silent_has_nobody_in(here: Rooms[str]) -> None:
    topic = new_topic()
    async with spanning(topic, here):
        await topic.emit(Present(process="x", changes=1, rooms={"a": ["eve"]}))
        assert here.presence_of("a") == {"eve"}
        await sleep(14)
        assert here.presence_of("a") == {"eve"}
        await sleep(7)
        assert here.presence_of("a") == frozenset()


async def test_signs_of_life_keep_it(here: Rooms[str]) -> None:
    topic = new_topic()
    async with spanning(topic, here):
        await topic.emit(Present(process="x", changes=1, rooms={"a": ["eve"]}))
        for _ in range(5):
            await sleep(10)
            await topic.emit(Alive(process="x", changes=1))
        assert here.presence_of("a") == {"eve"}


async def test_what_was_missed_is_asked_for_once_and_again_with_each_sign_of_life(here: Rooms[str]) -> None:
    topic = new_topic()
    asked: list[Control[str]] = []
    async with spanning(topic, here), coroutine_scope() as scope:
        topic.filter(lambda note: isinstance(note, Ask)).on_each(asked.append).launch_in(scope)
        await settled()
        await topic.emit(Present(process="x", changes=1, rooms={}))
        await topic.emit(Came(process="x", changes=3, room="a", user="eve"))
        await topic.emit(Came(process="x", changes=4, room="a", user="joe"))
        await settled()
        assert [note.whom for note in asked if isinstance(note, Ask)] == ["x"]
        assert here.presence_of("a") == frozenset()
        await topic.emit(Alive(process="x", changes=4))
        await settled()
        assert len(asked) == 2
        await topic.emit(Present(process="x", changes=4, rooms={"a": ["eve", "joe"]}))
        await topic.emit(Went(process="x", changes=5, room="a", user="joe"))
        await settled()
        assert here.presence_of("a") == {"eve"}
        assert len(asked) == 2
        scope.cancel()


async def test_what_is_known_already_is_not_taken_twice(here: Rooms[str]) -> None:
    topic = new_topic()
    async with spanning(topic, here):
        await topic.emit(Present(process="x", changes=2, rooms={"a": []}))
        await topic.emit(Came(process="x", changes=1, room="a", user="eve"))
        await settled()
        assert here.presence_of("a") == frozenset()


async def test_whoever_is_asked_tells_all(here: Rooms[str]) -> None:
    topic = new_topic()
    told: list[Present] = []
    async with spanning(topic, here), member(chat_over(here), "a", "ann"), coroutine_scope() as scope:
        topic.map(lambda note: note if isinstance(note, Present) else None).filter_not_none().on_each(told.append).launch_in(
            scope
        )
        await settled()
        await topic.emit(Ask(process="x", whom="somebody else"))
        await settled()
        assert told == []
        await topic.emit(Ask(process="x", whom=None))
        await settled()
        assert [note.rooms for note in told] == [{"a": ["ann"]}]
        scope.cancel()


async def test_a_message_to_one_user_finds_him_wherever_he_is(here: Rooms[str], there: Rooms[str]) -> None:
    app = chat_over(there)
    async with spanning(new_topic(), here, there), member(chat_over(here), "a", "ann"), member(app, "a", "bob") as bob:
        await here["a"].send("bob", "psst")
        assert await bob.incoming.first() == "psst"


async def test_a_kick_finds_him_wherever_he_is(here: Rooms[str], there: Rooms[str]) -> None:
    app = chat_over(there)
    async with spanning(new_topic(), here, there), member(chat_over(here), "a", "ann"), member(app, "a", "bob") as bob:
        await here["a"].kick("bob", 4001, "out")
        await bob.incoming.catch(lambda _emit, _error: None).collect()
        assert bob.close_reason == CloseReason(4001, "out")


async def test_a_kick_that_makes_no_sense_is_ignored(here: Rooms[str]) -> None:
    topic = new_topic()
    async with spanning(topic, here) as [job], member(chat_over(here), "a", "ann") as ann:
        await topic.emit(Kick(process="x", room="a", user="ann", code=1006, message="no"))
        await topic.emit(Kick(process="x", room="nowhere", user="ann", code=1008, message="no"))
        await settled()
        assert ann.is_open
        assert job.is_active


async def test_a_name_may_be_taken_elsewhere(here: Rooms[str], there: Rooms[str]) -> None:
    async with spanning(new_topic(), here, there), member(chat_over(there), "a", "bob") as bob:
        await settled()
        with pytest.raises(ValueError, match="'bob' is in 'a' already"), here.join("a", "bob", bob, unique=True):
            pytest.fail("the name is taken")
        assert "a" not in here


async def test_a_heartbeat_must_be_positive(here: Rooms[str]) -> None:
    with pytest.raises(ValueError, match="heartbeat"):
        await here.span(new_topic(), heartbeat=0)
