"""`Rooms`: shared flows by name, each there for as long as somebody is in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Never, TypeVar

from flowsock.emitting import ignore
from flowsock.errors import NameTaken
from flowsock.flows.shared import MutableSharedFlow
from flowsock.rooms.others import Alone
from flowsock.rooms.room import Room
from flowsock.rooms.span import Span
from flowsock.rooms.statistics import RoomsStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from flowsock.rooms.control import Control
    from flowsock.rooms.others import Others
    from flowsock.sessions.session import Session

T = TypeVar("T")


def _make_messages(_name: str) -> MutableSharedFlow[Any]:
    return MutableSharedFlow(extra_buffer_capacity=64)


class Rooms(Generic[T]):
    """The rooms that somebody is in: one appears with its first member and goes with its last.

    Law: in one process, whoever has joined is in the room's presence before `join` returns, and is out of it when the block has
    ended, however it ended. For several processes, see `span`.

    Args:
        messages: Makes the shared flow of a room of that name: its replay is the history, and a topic of a broker reaches the
            same room in other processes. If left out, there is no history, and 64 messages may wait for the slowest.
        release: Is given that flow when the room goes: ``Topic.close``, for a topic.

    >>> rooms = Rooms(lambda name: MutableSharedFlow[str](replay=20, extra_buffer_capacity=44))
    >>> app = App()
    >>> @app.websocket("/chat/{room}")
    ... async def chat(session: Session[str, str], room: str) -> None:
    ...     with rooms.join(room, session.request.query["name"], session) as here:
    ...         outbox = here.messages.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
    ...         outbox.on_each(session.send).launch_in(session.scope)
    ...         await session.incoming.collect(here.messages.emit)
    >>> async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}/chat/lobby?name=ann") as session:
    ...     await session.send("hello")
    ...     await session.incoming.first()
    'hello'
    """

    def __init__(
        self, messages: Callable[[str], MutableSharedFlow[T]] = _make_messages, *, release: Callable[[Any], object] = ignore
    ) -> None:
        self._messages = messages
        self._release = release
        self._rooms: dict[str, Room[T]] = {}
        self.others: Others[T] = Alone()

    @contextmanager
    def join(self, room: str, user: str, session: Session[Any, T], *, unique: bool = False) -> Generator[Room[T]]:
        """Be in a room while the block lasts.

        Law: the last one who leaves takes the room away, with its history.

        Args:
            room: The name of the room.
            user: Who comes in; he may do so with several sessions.
            session: What `Room.send` sends to and `Room.kick` closes.
            unique: Whether to refuse a user who is in already. Two who come at once in different processes may both get in.

        Raises:
            NameTaken: the user is in already, and may only be once.
        """
        if unique and user in self.presence_of(room):
            raise NameTaken(user, room)
        here = self._rooms.get(room)
        if here is None:
            here = self._rooms[room] = Room(self, room, self._messages(room))
        self._enter(here, user, session)
        try:
            yield here
        finally:
            self._leave(here, user, session)

    def _enter(self, here: Room[T], user: str, session: Session[Any, T]) -> None:
        if here.enter(user, session):
            self._show(here)
            self.others.came(here.name, user)

    def _leave(self, here: Room[T], user: str, session: Session[Any, T]) -> None:
        if here.leave(user, session):
            self._show(here)
            if not here.users:
                del self._rooms[here.name]
                self._release(here.messages)
            self.others.went(here.name, user)

    def presence_of(self, room: str) -> frozenset[str]:
        """Tell who is in a room, whether or not somebody in this process is."""
        here = self._rooms.get(room)
        return frozenset(self.others.users_in(room)) if here is None else here.presence.value

    def __getitem__(self, room: str) -> Room[T]:
        return self._rooms[room]

    def __contains__(self, room: object) -> bool:
        return room in self._rooms

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._rooms))

    def __len__(self) -> int:
        return len(self._rooms)

    def statistics(self) -> RoomsStatistics:
        """Count the rooms, and who of this process is in them.

        Law: nothing is counted for its sake.

        >>> Rooms().statistics()
        RoomsStatistics(rooms=0, users=0, members=0, lag=0)
        """
        rooms = self._rooms.values()
        return RoomsStatistics(
            rooms=len(rooms),
            users=sum(len(tuple(room.users)) for room in rooms),
            members=sum(room.members for room in rooms),
            lag=max((room.messages.statistics().lag for room in rooms), default=0),
        )

    async def span(self, control: MutableSharedFlow[Control[T]], *, heartbeat: float = 5.0) -> Never:
        """Share presence, `Room.send` and `Room.kick` with the same rooms in other processes; run it as a background job.

        Law: what others say takes effect in the order in which it was said. Who joins or leaves elsewhere is seen as soon as
        the topic tells; what the topic loses is asked for again within ``heartbeat``. A process that is silent for three of
        them, or stops running this, has nobody in any room, for the others. Messages to a user and kicks are sent once: they
        are lost if the topic loses them.

        Args:
            control: A topic that all processes share, of type ``Control[T]`` of ``flowsock.rooms.control``; one per `Rooms`.
            heartbeat: The seconds between two signs of life.
        """
        others = Span(self, control, heartbeat)
        self.others = others
        try:
            await others.run()
        finally:
            self.others = Alone()
            self.show(self._rooms)

    # What a span calls

    def here(self) -> dict[str, list[str]]:
        """Give the users of each room that have sessions in this process."""
        return {name: list(room.users) for name, room in self._rooms.items()}

    def show(self, names: Iterable[str]) -> None:
        """Bring the presence of rooms up to date."""
        for name in names:
            if (room := self._rooms.get(name)) is not None:
                self._show(room)

    def _show(self, room: Room[T]) -> None:
        room.show(self.others.users_in(room.name))

    def get(self, name: str) -> Room[T] | None:
        """Give a room, if somebody in this process is in it."""
        return self._rooms.get(name)
