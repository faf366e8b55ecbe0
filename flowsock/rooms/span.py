"""`Span`: rooms that reach over several processes, by what these tell each other on one topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Never, TypeVar
from uuid import uuid4

from anyio import current_time, move_on_after, sleep

from flowsock.channels.capacity import BufferOverflow
from flowsock.channels.channel import Channel
from flowsock.rooms.control import Alive, Ask, Came, Gone, Kick, Present, Told, Went
from flowsock.rooms.elsewhere import Elsewhere
from flowsock.rooms.room import wait_for_all
from flowsock.scopes.scope import coroutine_scope
from flowsock.wire.close import is_sendable, truncate_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from flowsock.flows.shared import MutableSharedFlow
    from flowsock.rooms.control import Control
    from flowsock.rooms.rooms import Rooms
    from flowsock.scopes.scope import Scope

T = TypeVar("T")

_MISSED: Final = 3
_UNSAID: Final = 256
_GOOD_BYE: Final = 1.0


class Span(Generic[T]):
    """Tell the other processes what happens here, and learn from them what happens there.

    Every process counts its changes. Whoever finds a number missing asks for the whole, so a topic may lose what it likes.
    """

    def __init__(self, rooms: Rooms[T], control: MutableSharedFlow[Control[T]], heartbeat: float) -> None:
        if heartbeat <= 0:
            raise ValueError(f"heartbeat must be positive, not {heartbeat:g} s")
        self._rooms = rooms
        self._control = control
        self._heartbeat = heartbeat
        self._process = uuid4().hex
        self._changes = 0
        self._elsewhere: dict[str, Elsewhere] = {}
        # What does not fit any more is found missing, and asked for.
        self._unsaid: Channel[Control[T]] = Channel(_UNSAID, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
        self._scope: Scope | None = None

    # What the rooms call

    def users_in(self, room: str, /) -> Iterable[str]:
        """Tell who is in a room in other processes."""
        return {user for process in self._elsewhere.values() for user in process.users_in(room)}

    def came(self, room: str, user: str, /) -> None:
        """Say that somebody is in a room here now."""
        self._changes += 1
        self._say(Came(process=self._process, changes=self._changes, room=room, user=user))

    def went(self, room: str, user: str, /) -> None:
        """Say that somebody is in a room here no more."""
        self._changes += 1
        self._say(Went(process=self._process, changes=self._changes, room=room, user=user))

    def tell(self, room: str, user: str, message: T, /) -> Awaitable[None]:
        """Pass a message on to a user in other processes."""
        return self._control.emit(Told(process=self._process, room=room, user=user, message=message))

    def kick(self, room: str, user: str, code: int, message: str, /) -> Awaitable[None]:
        """Close the sessions of a user in other processes."""
        return self._control.emit(Kick(process=self._process, room=room, user=user, code=code, message=message))

    # Running

    async def run(self) -> Never:
        """Listen and speak."""
        try:
            async with coroutine_scope() as self._scope:
                self._control.on_subscription(self._greet).on_each(self._hear).launch_in(self._scope)
                self._scope.launch(self._speak)
                while True:
                    await sleep(self._heartbeat)
                    self._forget_the_silent()
                    self._say(Alive(process=self._process, changes=self._changes))
        finally:
            with move_on_after(_GOOD_BYE, shield=True):
                await self._control.emit(Gone(process=self._process))

    def _greet(self, _emit: object) -> None:
        self._say(self._present())
        self._say(Ask(process=self._process, whom=None))

    def _say(self, note: Control[T]) -> None:
        self._unsaid.send_nowait(note)

    async def _speak(self) -> None:
        await self._unsaid.consume_each(self._control.emit)

    def _present(self) -> Present:
        return Present(process=self._process, changes=self._changes, rooms=self._rooms.here())

    def _forget_the_silent(self) -> None:
        deadline = current_time() - _MISSED * self._heartbeat
        for process, there in list(self._elsewhere.items()):
            if there.heard < deadline:
                self._forget(process)

    def _forget(self, process: str) -> None:
        there = self._elsewhere.pop(process, None)
        if there is not None:
            self._rooms.show(there.rooms)

    # Listening

    def _hear(self, note: Control[T]) -> None:
        if note.process == self._process:
            return
        match note:
            case Told(room=name, user=user, message=message):
                if (room := self._rooms.get(name)) is not None:
                    self._launch(wait_for_all, room.send_here(user, message))
            case Kick(room=name, user=user, code=code, message=text):
                if is_sendable(code) and (room := self._rooms.get(name)) is not None:
                    self._launch(room.kick_here, user, code, truncate_message(text))
            case Gone():
                self._forget(note.process)
            case _:
                self._learn(note)

    def _learn(self, note: Alive | Came | Went | Present | Ask) -> None:
        there = self._elsewhere.setdefault(note.process, Elsewhere())
        there.heard = current_time()
        match note:
            case Ask(whom=whom):
                if whom in (None, self._process):
                    self._say(self._present())
            case Present():
                before = list(there.rooms)
                there.replace(note)
                self._rooms.show({*before, *there.rooms})
            case Alive() | Came() | Went() if there.has_missed(note):
                self._ask(there, note)
            case Came() | Went():
                there.apply(note)
                self._rooms.show((note.room,))
            case Alive():
                pass

    def _ask(self, there: Elsewhere, note: Alive | Came | Went) -> None:
        # Once, and again with each sign of life.
        if not there.is_asked or isinstance(note, Alive):
            there.is_asked = True
            self._say(Ask(process=self._process, whom=note.process))

    def _launch(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        assert self._scope is not None
        self._scope.launch(function, *args)
