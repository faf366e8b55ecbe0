"""Asking a route's guard, whoever serves the app."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from anyio import current_time

from flowsock.wire.response import plain_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CancelScope

    from flowsock.sessions.routes.router import Events, Page, Upgrade
    from flowsock.wire.request import Request

_logger = logging.getLogger("flowsock")

FAILED: Final = plain_response(500, "internal error")
_TOO_SLOW: Final = plain_response(503, "the request took too long to check", {"retry-after": "10"})
# Nobody reads it; in the access log it is what other servers write there too.
LEFT: Final = plain_response(499, "the client has left")


async def admit(request: Request, found: Upgrade | Page | Events, patience: Callable[[], CancelScope]) -> object:
    """Give what the route's guard lets pass, or the response that turns the client away.

    Args:
        patience: Makes what ends the guard: at its deadline, or sooner when the client has left.
    """
    entry = found.route.entry
    if entry.guard is None:
        return None
    admitted: object = _TOO_SLOW
    try:
        with patience() as scope:
            admitted = await entry.guard.check(request, found.parameters)
    except Exception:
        _logger.exception("the guard of %r failed", entry.pattern.path)
        return FAILED
    if scope.cancelled_caught:
        if current_time() < scope.deadline:
            return LEFT
        _logger.error("the guard of %r took too long", entry.pattern.path)
    return admitted
