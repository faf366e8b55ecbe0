"""Asking a route's guard, whoever serves the app."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from anyio import CancelScope

from flowsock.wire.response import plain_response

if TYPE_CHECKING:
    from flowsock.sessions.router import Page, Upgrade
    from flowsock.wire.request import Request

_logger = logging.getLogger("flowsock")

FAILED: Final = plain_response(500, "internal error")
_TOO_SLOW: Final = plain_response(503, "the request took too long to check", {"retry-after": "10"})


async def admit(request: Request, found: Upgrade | Page, deadline: float) -> object:
    """Give what the route's guard lets pass, or the response that turns the client away.

    Args:
        deadline: The time, on the event loop's clock, that the guard has.
    """
    entry = found.route.entry
    if entry.guard is None:
        return None
    admitted: object = _TOO_SLOW
    try:
        with CancelScope(deadline=deadline) as scope:
            admitted = await entry.guard.check(request, found.parameters)
    except Exception:
        _logger.exception("the guard of %r failed", entry.pattern.path)
        return FAILED
    if scope.cancelled_caught:
        _logger.error("the guard of %r took too long", entry.pattern.path)
    return admitted
