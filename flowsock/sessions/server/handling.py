"""The life of a session on the server's side, from its handler's start to its end on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import get_cancelled_exc_class

from flowsock.sessions.ending import drop_session, end_session
from flowsock.sessions.scope import session_scope
from flowsock.wire.close import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from flowsock.scopes.groups import TaskBlock
    from flowsock.scopes.scope import Scope
    from flowsock.sessions.routes.routing import SessionRoute
    from flowsock.sessions.session import Session


class handling(session_scope):
    """Open the scope of a session while the block, which is its handler, lasts; then close the session, and wait for its end.

    Law: a block that ends closes the session with 1000, one that fails with 1011. The end of the session itself is nothing that
    went wrong in the block, and leaves it quietly.

    Args:
        on_failure: Takes the error of a block that fails, before the session is closed; if left out, it is raised afterwards.
        group: The task group for the scope's jobs; one of anyio's if left out.
    """

    __slots__ = ("_on_failure",)

    def __init__(
        self,
        session: Session[Any, Any],
        on_failure: Callable[[Exception], object] | None = None,
        group: TaskBlock | None = None,
    ) -> None:
        super().__init__(session, group)
        self._on_failure = on_failure

    async def __aenter__(self) -> Scope:
        scope = await super().__aenter__()
        self._session.enter(scope)
        return scope

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            failure = await self._leave(kind, error, traceback)
            if failure is not None and self._on_failure is not None:
                self._on_failure(failure)
            await end_session(self._session, CloseCode.NORMAL if failure is None else CloseCode.INTERNAL_ERROR)
        except get_cancelled_exc_class():
            await drop_session(self._session)
            raise
        if failure is not None and self._on_failure is None:
            raise failure
        return True

    async def _leave(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Exception | None:
        """End the scope; give what went wrong in it."""
        session = self._session
        session.leave()
        if error is None:
            self._scope.cancel()
        try:
            if not await super().__aexit__(kind, error, traceback) and error is not None:
                raise error
        except Exception as failure:
            return None if session.is_over_by(failure) else failure
        return None


async def run_handler(
    session: Session[Any, Any], route: SessionRoute, arguments: dict[str, Any], group: TaskBlock | None = None
) -> None:
    """Run the handler of a route to the end of its session; its failure is logged."""
    async with handling(session, route.log_failure, group):
        await route.handler(session, **arguments)
