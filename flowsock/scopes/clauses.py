"""Waiting for a job as a clause of a select; made by `Job.on_join` and `Job.on_await`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint_if_cancelled
from attrs import frozen

from flowsock.clause import NOTHING, Clause, result_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.clause import Selection
    from flowsock.scopes.job import Job


@frozen(eq=False)
class _OnEnd(Clause[Any]):
    """Start a job and wait for its end."""

    job: Job[Any]
    fn: Callable[..., Any] | None

    def poll(self) -> object:
        self.job.start()
        return None if self.job.is_completed else NOTHING

    def register(self, selection: Selection, /) -> Callable[[], object]:
        return self.job.invoke_on_completion(partial(self._choose, selection))

    def _choose(self, selection: Selection, _cause: BaseException | None, /) -> None:
        selection.choose(self, None)


class OnJoin(_OnEnd):
    """Wait for the end of a job, however it ends."""

    __slots__ = ()

    async def finish(self, _outcome: None, /) -> Any:
        if self.job.error is not None:
            # The failure may be about to cancel this very task, which then selects nothing.
            await checkpoint_if_cancelled()
        return None if self.fn is None else await result_of(self.fn)


class OnAwait(_OnEnd):
    """Wait for the result of a job."""

    __slots__ = ()

    async def finish(self, _outcome: None, /) -> Any:
        result = self.job.result()
        return result if self.fn is None else await result_of(self.fn, result)
