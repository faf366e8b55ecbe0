"""Chat rooms: who is in, what was said, and what a newcomer gets first."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from flowsock.flows.shared import MutableSharedFlow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.flows.flow import Flow

HISTORY: Final = 20
OUTBOX: Final = 64


class Said(msgspec.Struct, tag_field="kind", tag="said"):
    """Somebody said something."""

    who: str
    text: str
    at: float


class Joined(msgspec.Struct, tag_field="kind", tag="joined"):
    """Somebody came in."""

    who: str
    at: float


class Left(msgspec.Struct, tag_field="kind", tag="left"):
    """Somebody went."""

    who: str
    at: float


class Members(msgspec.Struct, tag_field="kind", tag="members"):
    """Who is in now."""

    names: list[str]


class HistoryEnd(msgspec.Struct, tag_field="kind", tag="history_end"):
    """What comes from here on is live."""


Notice: TypeAlias = Said | Joined | Left | Members | HistoryEnd


def encode(notice: Notice) -> str:
    """Write a notice as JSON text; once, however many members get it."""
    return msgspec.json.encode(notice).decode()


class Room:
    """One room. Its last messages are a shared flow's replay cache; what happens now is another shared flow."""

    def __init__(self) -> None:
        self.members: list[str] = []
        self.history: MutableSharedFlow[str] = MutableSharedFlow(replay=HISTORY)
        self.live: MutableSharedFlow[str] = MutableSharedFlow(extra_buffer_capacity=OUTBOX)

    def messages_for(self, name: str) -> Flow[str]:
        """Give a member the history, who is in, and then everything live.

        Give it a buffer that drops at once: what is said while the greeting waits for a slow reader would be missed.
        """

        def greet(emit: Callable[[str], Awaitable[object]]) -> None:
            for text in self.history.replay_cache:
                emit(text)
            for notice in (HistoryEnd(), Joined(name, time()), Members(self.members)):
                emit(encode(notice))

        return self.live.on_start(greet)

    async def say(self, who: str, text: str) -> None:
        """Tell everybody, and remember."""
        said = encode(Said(who, text, time()))
        self.history.emit_nowait(said)
        await self.live.emit(said)

    async def join(self, name: str) -> None:
        """Let somebody in, and tell those who are there."""
        await self._tell(Joined(name, time()), Members([*self.members, name]))
        self.members.append(name)

    async def leave(self, name: str) -> None:
        """Let somebody go, and tell those who stay."""
        self.members.remove(name)
        await self._tell(Left(name, time()), Members(self.members))

    async def _tell(self, *notices: Notice) -> None:
        for notice in notices:
            await self.live.emit(encode(notice))


class Rooms:
    """The rooms that somebody is in: one appears with its first member and goes with its last."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}

    def __getitem__(self, name: str) -> Room:
        return self._rooms.setdefault(name, Room())

    def __contains__(self, name: object) -> bool:
        return name in self._rooms

    def tidy(self, name: str) -> None:
        """Forget a room that nobody is in."""
        if name in self._rooms and not self._rooms[name].members:
            del self._rooms[name]
