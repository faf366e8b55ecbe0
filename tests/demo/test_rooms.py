"""The demo's chat rooms."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from flowsock import BufferOverflow, coroutine_scope
from flowsock.demo.rooms import HISTORY, OUTBOX, Room, Rooms

pytestmark = pytest.mark.anyio


def kinds(received: list[str]) -> list[str]:
    return [decode(text)["kind"] for text in received]


def decode(text: str) -> Any:
    return msgspec.json.decode(text)


async def test_a_newcomer_gets_the_history_then_the_members_then_what_happens() -> None:
    room = Room()
    await room.join("ann")
    for number in range(HISTORY + 5):
        await room.say("ann", str(number))
    received: list[str] = []
    async with coroutine_scope() as scope:
        await room.join("bob")
        outbox = room.messages_for("bob").buffer(OUTBOX, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
        outbox.on_each(received.append).launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        await room.say("ann", "welcome")
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
    assert kinds(received) == ["said"] * HISTORY + ["history_end", "joined", "members", "said"]
    assert [decode(text)["text"] for text in received[:HISTORY]] == [str(number) for number in range(5, HISTORY + 5)]
    assert decode(received[-2])["names"] == ["ann", "bob"]


async def test_the_others_hear_who_comes_and_goes() -> None:
    room = Room()
    received: list[str] = []
    async with coroutine_scope() as scope:
        await room.join("ann")
        room.live.on_each(received.append).launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        await room.join("bob")
        await room.leave("bob")
        scope.cancel()
    assert kinds(received) == ["joined", "members", "left", "members"]
    assert [decode(text)["names"] for text in received[1::2]] == [["ann", "bob"], ["ann"]]


async def test_a_message_is_encoded_once_for_everybody() -> None:
    room = Room()
    first: list[str] = []
    second: list[str] = []
    async with coroutine_scope() as scope:
        for received in (first, second):
            room.live.on_each(received.append).launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        await room.say("ann", "hi")
        scope.cancel()
    assert first[0] is second[0]


async def test_a_room_goes_with_its_last_member() -> None:
    rooms = Rooms()
    await rooms["lobby"].join("ann")
    rooms.tidy("lobby")
    assert "lobby" in rooms
    await rooms["lobby"].leave("ann")
    rooms.tidy("lobby")
    assert "lobby" not in rooms
