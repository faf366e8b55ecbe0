"""When a link reconnects, and when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import field, frozen, validators

from flowsock.errors import HandshakeError, HandshakeRejected, SessionClosed
from flowsock.scopes.restart import Backoff

if TYPE_CHECKING:
    from collections.abc import Iterable

STOP_CODES: Final = frozenset((1000, 1002, 1003, 1007, 1008, 1010))
"""Close codes that another session would end with too, and 1000, after which there is nothing more to come."""

STOP_STATUSES: Final = frozenset((401, 403, 404))
"""HTTP statuses with which another handshake would be refused too."""


def _codes(codes: Iterable[int]) -> frozenset[int]:
    return frozenset(codes)


@frozen(kw_only=True)
class LinkRules:
    """Hold the rules of one link.

    Args:
        backoff: The waits between attempts.
        stable_after: Seconds that a session must last for the waits to begin afresh.
        attempts: How many attempts there may be since the last session that lasted so long; ``None`` for no limit.
        stop_codes: Close codes after which there is no other attempt.
        stop_statuses: HTTP statuses after which there is no other attempt.

    Raises:
        ValueError: a number is out of range.
    """

    backoff: Backoff = field(factory=Backoff)
    stable_after: float = field(default=30.0, validator=validators.ge(0))
    attempts: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    stop_codes: frozenset[int] = field(default=STOP_CODES, converter=_codes)
    stop_statuses: frozenset[int] = field(default=STOP_STATUSES, converter=_codes)

    def is_final(self, error: Exception) -> bool:
        """Tell whether another attempt would be in vain."""
        match error:
            case SessionClosed():
                return error.reason.code in self.stop_codes
            case HandshakeRejected():
                return error.status in self.stop_statuses
            case ValueError():
                # Also a certificate that is not trusted, which is an OSError at the same time.
                return True
            case _:
                return not isinstance(error, HandshakeError | OSError)
