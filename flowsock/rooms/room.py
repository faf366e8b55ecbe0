"""`Room`: what its members share."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flowsock.errors import SessionClosed
from flowsock.flows.state import MutableStateFlow
from flowsock.scopes.groups import task_group
from flowsock.sessions.connection.connection import own_reason
from flowsock.wire.close import CloseCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from flowsock.flows.flow import StateFlow
    from flowsock.flows.shared import MutableSharedFlow
    from flowsock.rooms.rooms import Rooms
    from flowsock.sessions.session import Session

T = TypeVar("T")


class Room(Generic[T]):
    """One room of `Rooms`, for as long as somebody is in.

    Law: a user is in `presence` once, however many sessions he has there.

    Attributes:
        name: The key of the room.
        messages: What is said in it: a shared flow, whose replay is the room's history.
        presence: Who is in.

    >>> app = App()
    >>> rooms: Rooms[str] = Rooms()
    >>> @app.websocket("/")
    ... async def chat(session: Session[str, str]) -> None:
    ...     with rooms.join("lobby", "ann", session) as room:
    ...         await session.send(", ".join(room.presence.value))
    >>> async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}") as session:
    ...     await session.incoming.first()
    'ann'
    """

    __slots__ = ("_presence", "_rooms", "_sessions", "messages", "name", "presence")

    def __init__(self, rooms: Rooms[T], name: str, messages: MutableSharedFlow[T]) -> None:
        self.name = name
        self.messages = messages
        self._rooms = rooms
        self._sessions: dict[str, list[Session[Any, T]]] = {}
        self._presence: MutableStateFlow[frozenset[str]] = MutableStateFlow(frozenset())
        self.presence: StateFlow[frozenset[str]] = self._presence.as_state_flow()

    async def send(self, user: str, message: T) -> None:
        """Send a message to one user, in all sessions that he has in this room.

        Law: waits as long as `Session.send` does, for the slowest of them. A session that ends meanwhile is passed over, and
        nobody is told when there is none.
        """
        await self._rooms.others.tell(self.name, user, message)
        await wait_for_all(self.send_here(user, message))

    async def kick(self, user: str, code: int = CloseCode.VIOLATED_POLICY, message: str = "") -> None:
        """Close the sessions that a user has in this room.

        Law: returns when they are over. The user is in the room until their handlers have ended, which see `incoming` complete.

        Raises:
            ValueError: the code must not be sent, or the message is too long; see `Session.close`.
        """
        own_reason(code, message)
        await self._rooms.others.kick(self.name, user, code, message)
        await self.kick_here(user, code, message)

    # What the rooms call

    @property
    def users(self) -> Iterable[str]:
        """Give those who have sessions in this process."""
        return self._sessions.keys()

    @property
    def members(self) -> int:
        """Count their sessions."""
        return sum(map(len, self._sessions.values()))

    def enter(self, user: str, session: Session[Any, T]) -> bool:
        """Let a session in, and tell whether it is its user's first."""
        sessions = self._sessions.setdefault(user, [])
        sessions.append(session)
        return len(sessions) == 1

    def leave(self, user: str, session: Session[Any, T]) -> bool:
        """Let a session go, and tell whether it was its user's last."""
        self._sessions[user].remove(session)
        if self._sessions[user]:
            return False
        del self._sessions[user]
        return True

    def show(self, elsewhere: Iterable[str]) -> None:
        """Bring the presence up to date."""
        self._presence.value = frozenset((*self._sessions, *elsewhere))

    def send_here(self, user: str, message: T) -> list[Awaitable[object]]:
        """Send a message to a user's sessions in this process, and give what is to be awaited."""
        pending: list[Awaitable[object]] = []
        for session in self._sessions.get(user, ()):
            with suppress(SessionClosed):
                pending.append(session.send(message))
        return pending

    async def kick_here(self, user: str, code: int, message: str) -> None:
        """Close a user's sessions in this process."""
        async with task_group() as group:
            for session in self._sessions.get(user, ()):
                group.start_soon(session.close, code, message)

    def __repr__(self) -> str:
        return f"<Room {self.name!r} of {sorted(self.presence.value)}>"


async def wait_for_all(pending: Iterable[Awaitable[object]]) -> None:
    """Wait until sessions have taken what was sent to them, or are over."""
    for each in pending:
        with suppress(SessionClosed):
            await each
