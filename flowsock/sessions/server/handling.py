"""The life of a session on the server's side, from its handler's start to its end on the wire."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from anyio import get_cancelled_exc_class

from flowsock.sessions.ending import drop_session, end_session
from flowsock.sessions.scope import session_scope
from flowsock.wire.close import CloseCode

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from flowsock.sessions.routes.routing import SessionRoute
    from flowsock.sessions.session import Session

_logger = logging.getLogger("flowsock")


@asynccontextmanager
async def handling(session: Session[Any, Any], on_failure: Callable[[Exception], object] | None = None) -> AsyncGenerator[None]:
    """Give a session its scope while the block, which is its handler, lasts; then close it, and wait for its end.

    Law: a block that ends closes the session with 1000, one that fails with 1011. The end of the session itself is nothing that
    went wrong in the block, and leaves it quietly.

    Args:
        on_failure: Takes the error of a block that fails, before the session is closed; if left out, it is raised afterwards.
    """
    failure: Exception | None = None
    try:
        try:
            async with session_scope(session) as scope:
                session.enter(scope)
                try:
                    yield
                finally:
                    session.leave()
                scope.cancel()
        except Exception as error:
            if not session.is_over_by(error):
                failure = error
        if failure is not None and on_failure is not None:
            on_failure(failure)
        await end_session(session, CloseCode.NORMAL if failure is None else CloseCode.INTERNAL_ERROR)
    except get_cancelled_exc_class():
        await drop_session(session)
        raise
    if failure is not None and on_failure is None:
        raise failure


async def run_handler(session: Session[Any, Any], route: SessionRoute, arguments: dict[str, Any]) -> None:
    """Run the handler of a route to the end of its session; its failure is logged."""

    def log(error: Exception) -> None:
        _logger.error("the handler of %r failed", route.entry.pattern.path, exc_info=error)

    async with handling(session, log):
        await route.handler(session, **arguments)
