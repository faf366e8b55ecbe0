"""What rooms need to know of the same rooms in other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from flowsock.emitting import READY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Others(Protocol[T_contra]):
    """Stand for all other processes."""

    def users_in(self, room: str, /) -> Iterable[str]:
        """Tell who is in a room there."""
        ...

    def came(self, room: str, user: str, /) -> None:
        """Say that somebody is in a room here now."""
        ...

    def went(self, room: str, user: str, /) -> None:
        """Say that somebody is in a room here no more."""
        ...

    def tell(self, room: str, user: str, message: T_contra, /) -> Awaitable[None]:
        """Pass a message on to a user there."""
        ...

    def kick(self, room: str, user: str, code: int, message: str, /) -> Awaitable[None]:
        """Close the sessions of a user there."""
        ...


class Alone(Generic[T]):
    """Stand for no other process."""

    def users_in(self, _room: str, /) -> Iterable[str]:
        """Tell that nobody is."""
        return ()

    def came(self, _room: str, _user: str, /) -> None:
        """Say nothing."""

    def went(self, _room: str, _user: str, /) -> None:
        """Say nothing."""

    def tell(self, _room: str, _user: str, _message: T, /) -> Awaitable[None]:
        """Reach nobody."""
        return READY

    def kick(self, _room: str, _user: str, _code: int, _message: str, /) -> Awaitable[None]:
        """Reach nobody."""
        return READY
