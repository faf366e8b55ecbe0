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
    """

    attempt: int


@frozen
class Connected:
    """A session is open, and set up.

    Attributes:
        session: That session.
    """

    session: Session[Any, Any] = field(eq=id)


@frozen
class Waiting:
    """The next attempt is to come.

    Attributes:
        seconds: After how long.
        error: Why the last one failed, or its session ended.
    """

    seconds: float
    error: Exception = field(eq=id)


@frozen
class Stopped:
    """There will be no further attempt.

    Attributes:
        error: Why: what ``incoming`` and ``send`` raise, or `SessionClosed` after a clean end, which completes ``incoming``.
    """

    error: Exception = field(eq=id)


LinkState: TypeAlias = Connecting | Connected | Waiting | Stopped
"""What a `Link` is doing."""
