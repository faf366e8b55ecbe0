"""`Elsewhere`: what one other process has said of its rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowsock.rooms.control import Alive, Came

if TYPE_CHECKING:
    from collections.abc import Collection

    from flowsock.rooms.control import Present, Went


class Elsewhere:
    """Know who is in the rooms of one other process, and whether anything was missed.

    Attributes:
        heard: When it spoke last.
        is_asked: Whether it was asked to say all.
    """

    __slots__ = ("_changes", "_rooms", "heard", "is_asked")

    def __init__(self) -> None:
        self.heard = 0.0
        self.is_asked = False
        self._changes = -1
        self._rooms: dict[str, set[str]] = {}

    @property
    def rooms(self) -> Collection[str]:
        """Name the rooms that somebody is in there."""
        return self._rooms.keys()

    def users_in(self, room: str) -> Collection[str]:
        """Tell who is in a room there."""
        return self._rooms.get(room, ())

    def replace(self, note: Present) -> None:
        """Take all that it has said."""
        self._changes = note.changes
        self._rooms = {room: set(users) for room, users in note.rooms.items()}
        self.is_asked = False

    def has_missed(self, note: Alive | Came | Went) -> bool:
        """Tell whether something was said before that did not arrive."""
        return self._changes < (note.changes if isinstance(note, Alive) else note.changes - 1)

    def apply(self, note: Came | Went) -> None:
        """Take a change, unless it is known already."""
        if note.changes <= self._changes:
            return
        self._changes = note.changes
        users = self._rooms.setdefault(note.room, set())
        if isinstance(note, Came):
            users.add(note.user)
        else:
            users.discard(note.user)
        if not users:
            del self._rooms[note.room]
