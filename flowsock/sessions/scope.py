"""The scope of one session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowsock.scopes.scope import Scope, coroutine_scope

if TYPE_CHECKING:
    from flowsock.scopes.groups import TaskBlock, Tasks
    from flowsock.scopes.job import Job
    from flowsock.sessions.session import Session


class SessionScope(Scope):
    """Own the jobs of a session; one that ends because the session is over ends quietly."""

    __slots__ = ("_session",)

    def __init__(self, group: Tasks, session: Session[Any, Any]) -> None:
        super().__init__(group)
        self._session = session

    async def _supervise(self, job: Job[Any]) -> None:
        try:
            await job.run()
        except Exception as error:
            if not self._session.is_over_by(error):
                raise


class session_scope(coroutine_scope):
    """Open the scope of a session, which the end of the session cancels.

    Args:
        group: The task group to run the jobs in; one of anyio's if left out.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session[Any, Any], group: TaskBlock | None = None) -> None:
        super().__init__()
        if group is not None:
            self._group = group
        self._session = session

    def _make(self, group: Tasks) -> Scope:
        return SessionScope(group, self._session)
