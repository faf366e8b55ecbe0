"""What the processes that share rooms tell each other."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")


class Note(msgspec.Struct, tag_field="kind", frozen=True, kw_only=True):
    """Say which process speaks."""

    process: str


class Alive(Note, tag="alive", frozen=True, kw_only=True):
    """Say, now and then, how many changes there have been so far."""

    changes: int


class Came(Note, tag="came", frozen=True, kw_only=True):
    """Say, as change number so and so, that somebody is in a room now."""

    changes: int
    room: str
    user: str


class Went(Note, tag="went", frozen=True, kw_only=True):
    """Say, as change number so and so, that somebody is in a room no more."""

    changes: int
    room: str
    user: str


class Ask(Note, tag="ask", frozen=True, kw_only=True):
    """Ask another process, or each, for all that it has."""

    whom: str | None


class Present(Note, tag="present", frozen=True, kw_only=True):
    """Say all: who is in which room, after so many changes."""

    changes: int
    rooms: dict[str, list[str]]


class Gone(Note, tag="gone", frozen=True, kw_only=True):
    """Say good-bye."""


class Kick(Note, tag="kick", frozen=True, kw_only=True):
    """Ask everybody to close the sessions of a user."""

    room: str
    user: str
    code: int
    message: str


class Told(Note, Generic[T], tag="told", frozen=True, kw_only=True):
    """Ask everybody to pass a message on to a user."""

    room: str
    user: str
    message: T


Control: TypeAlias = Alive | Came | Went | Ask | Present | Gone | Kick | Told[T]
