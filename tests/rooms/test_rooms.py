"""Rooms in one process."""

from __future__ import annotations

import pytest
from anyio import fail_after

from flowsock import CloseReason, MutableSharedFlow, NameTaken, Rooms, SessionAborted, Topic, coroutine_scope, open_broker
from tests.rooms.support import chat_over, member
from tests.turns import settled

pytestmark = pytest.mark.anyio


@pytest.fixture
def rooms() -> Rooms[str]:
    return Rooms(lambda _name: MutableSharedFlow(replay=2, extra_buffer_capacity=8))


async def test_what_is_said_reaches_the_room_and_nobody_else(rooms: Rooms[str]) -> None:
    app = chat_over(rooms)
    async with member(app, "a", "ann") as ann, member(app, "a", "bob") as bob, member(app, "b", "eve") as eve:
        await ann.send("hello")
        assert await bob.incoming.first() == "hello"
        await eve.send("nobody?")
        assert await eve.incoming.first() == "nobody?"


async def test_a_newcomer_gets_the_history(rooms: Rooms[str]) -> None:
    app = chat_over(rooms)
    async with member(app, "a", "ann") as ann:
        for text in ("1", "2", "3"):
            await ann.send(text)
        assert await ann.incoming.take(3).to_list() == ["1", "2", "3"]
        assert rooms["a"].messages.replay_cache == ["2", "3"]


async def test_a_room_comes_with_its_first_member_and_goes_with_its_last(rooms: Rooms[str]) -> None:
    app = chat_over(rooms)
    async with member(app, "a", "ann"):
        async with member(app, "a", "bob"):
            assert list(rooms) == ["a"]
            assert rooms.presence_of("a") == {"ann", "bob"}
        await settled()
        assert "a" in rooms
        assert rooms.presence_of("a") == {"ann"}
    await settled()
    assert len(rooms) == 0
    assert rooms.presence_of("a") == frozenset()


async def test_presence_is_a_state_that_changes_with_each_who_comes_and_goes(rooms: Rooms[str]) -> None:
    app = chat_over(rooms)
    seen: list[list[str]] = []
    async with member(app, "a", "ann"), coroutine_scope() as scope:
        rooms["a"].presence.map(sorted).on_each(seen.append).launch_in(scope)
        await settled()
        async with member(app, "a", "bob"):
            await settled()
        await settled()
        scope.cancel()
    assert seen == [["ann"], ["ann", "bob"], ["ann"]]


async def test_a_user_with_two_sessions_is_there_until_the_last_ends(rooms: Rooms[str]) -> None:
    app = chat_over(rooms)
    async with member(app, "a", "ann"):
        async with member(app, "a", "ann"):
            assert rooms.presence_of("a") == {"ann"}
        await settled()
        assert rooms.presence_of("a") == {"ann"}
    await settled()
    assert rooms.presence_of("a") == frozenset()


async def test_a_name_may_be_taken(rooms: Rooms[str], caplog: pytest.LogCaptureFixture) -> None:
    app = chat_over(rooms, unique=True)
    async with member(app, "a", "ann"):
        with pytest.raises(SessionAborted):
            async with member(app, "a", "ann"):
                pytest.fail("the name is taken")
        async with member(app, "b", "ann"):
            assert rooms.presence_of("a") == rooms.presence_of("b") == {"ann"}
    error = caplog.records[0].exc_info
    assert error is not None
    assert isinstance(error[1], NameTaken)
    assert (error[1].user, error[1].room) == ("ann", "a")


async def test_a_message_to_one_user_reaches_all_his_sessions_and_nobody_else(rooms: Rooms[str]) -> None:
    app = chat_over(rooms)
    async with member(app, "a", "ann") as ann, member(app, "a", "ann") as again, member(app, "a", "bob") as bob:
        await rooms["a"].send("ann", "psst")
        assert await ann.incoming.first() == await again.incoming.first() == "psst"
        await rooms["a"].messages.emit("all")
        assert await bob.incoming.first() == "all"


async def test_a_message_to_nobody_is_nothing(rooms: Rooms[str]) -> None:
    async with member(chat_over(rooms), "a", "ann"):
        await rooms["a"].send("bob", "psst")


async def test_a_session_that_is_over_is_passed_over(rooms: Rooms[str]) -> None:
    app = chat_over(rooms)
    async with member(app, "a", "ann") as ann, member(app, "a", "ann") as again:
        room = rooms["a"]
        with fail_after(5):
            await ann.close()
            await room.send("ann", "psst")
            assert await again.incoming.first() == "psst"


async def test_a_kick_closes_all_sessions_of_the_user(rooms: Rooms[str]) -> None:
    app = chat_over(rooms)
    async with member(app, "a", "ann") as ann, member(app, "a", "ann") as again, member(app, "a", "bob") as bob:
        await rooms["a"].kick("ann", message="be nice")
        assert ann.close_reason == again.close_reason == CloseReason(1008, "be nice")
        await settled()
        assert rooms.presence_of("a") == {"bob"}
        assert bob.is_open


async def test_a_kick_with_a_code_that_must_not_be_sent_is_refused(rooms: Rooms[str]) -> None:
    async with member(chat_over(rooms), "a", "ann") as ann:
        with pytest.raises(ValueError, match="must not be sent"):
            await rooms["a"].kick("ann", 1006)
        assert ann.is_open


async def test_whoever_fails_is_out(rooms: Rooms[str]) -> None:
    async with member(chat_over(rooms), "a", "ann") as ann:
        with pytest.raises(KeyError), rooms.join("a", "bob", ann):
            assert rooms.presence_of("a") == {"ann", "bob"}
            raise KeyError
        assert rooms.presence_of("a") == {"ann"}
        assert repr(rooms["a"]) == "<Room 'a' of ['ann']>"


async def test_without_a_choice_there_is_no_history() -> None:
    rooms: Rooms[str] = Rooms()
    async with member(chat_over(rooms), "a", "ann") as ann:
        await ann.send("hello")
        assert await ann.incoming.first() == "hello"
        assert rooms["a"].messages.replay_cache == []


async def test_the_flow_of_a_room_that_goes_is_released() -> None:
    released: list[MutableSharedFlow[str]] = []
    rooms: Rooms[str] = Rooms(release=released.append)
    app = chat_over(rooms)
    async with member(app, "a", "ann"):
        messages = rooms["a"].messages
        async with member(app, "a", "bob"):
            pass
        await settled()
        assert released == []
    await settled()
    assert released == [messages]


async def test_rooms_over_a_broker_close_their_topics() -> None:
    async with open_broker("memory://") as broker:
        rooms = Rooms(lambda name: broker.topic(f"chat.{name}", str, replay=2), release=Topic.close)
        app = chat_over(rooms)
        async with member(app, "a", "ann") as ann:
            await ann.send("hello")
            assert await ann.incoming.first() == "hello"
            topic = broker.topic("chat.a", str, replay=2)
            assert rooms["a"].messages is topic
        await settled()
        assert broker.topic("chat.a", str, replay=2) is not topic
