"""What a link that reconnects is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

if TYPE_CHECKING:
    from flowsock.sessions.session import Session


@frozen
class Connecting:
    """A session is being opened, and set up.

    Attributes:
        attempt: How many attempts there were since the last stable session, this one included.

    >>> Connecting(attempt=3)
    Connecting(attempt=3)
    """

    attempt: int


@frozen
class Connected:
    """A session is open, and set up.

    Attributes:
        session: That session.

    >>> app = App()
    >>> echo = app.websocket("/")(lambda session: session.incoming.collect(session.send))
    >>> async with serve(app, port=0) as server, reconnecting(f"ws://127.0.0.1:{server.port}/") as link:
    ...     await link.state.first(lambda state: isinstance(state, Connected))
    Connected(session=<Session '/' open>)
    """

    session: Session[Any, Any] = field(eq=id)


@frozen
class Waiting:
    """The next attempt is to come.

    Attributes:
        seconds: After how long.
        error: Why the last one failed, or its session ended.

    >>> Waiting(seconds=0.5, error=ConnectionRefusedError("nobody listens"))
    Waiting(seconds=0.5, error=ConnectionRefusedError('nobody listens'))
    """

    seconds: float
    error: Exception = field(eq=id)


@frozen
class Stopped:
    """There will be no further attempt.

    Attributes:
        error: Why: what ``incoming`` and ``send`` raise, or `SessionClosed` after a clean end, which completes ``incoming``.

    >>> Stopped(SessionClosed(CloseReason(CloseCode.NORMAL)))
    Stopped(error=SessionClosed('the session is closed: 1000 (NORMAL)'))
    """

    error: Exception = field(eq=id)


LinkState: TypeAlias = Connecting | Connected | Waiting | Stopped
"""What a `Link` is doing."""
