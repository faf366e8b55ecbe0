"""The last steps of a session, whoever ran it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from anyio import move_on_after

from flowsock.wire.close import CloseCode, CloseReason

if TYPE_CHECKING:
    from flowsock.sessions.session import Session

_LAST_WORDS: Final = 1.0


async def end_session(session: Session[Any, Any], code: CloseCode) -> None:
    """Close a session, unless it is over, and wait until its transport is gone."""
    session.connection.close(CloseReason(code))
    try:
        await session.connection.wait_lost()
    except BaseException:
        await drop_session(session)
        raise


async def drop_session(session: Session[Any, Any]) -> None:
    """Tell the peer that we are going, and end the session within a second, even while being cancelled."""
    session.connection.abandon(CloseReason(CloseCode.GOING_AWAY))
    with move_on_after(_LAST_WORDS, shield=True):
        await session.connection.wait_lost()
    session.connection.abort()
