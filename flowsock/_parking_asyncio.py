"""Sleeping on asyncio, and so on uvloop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.parking import HandoverOwner


@final
class AsyncioSleeper(asyncio.Future[None]):
    """A future that tells of its cancellation while it is being cancelled.

    A task that is cancelled cancels the future it awaits before anything else runs, so this is the earliest moment to know.
    """

    __slots__ = ("_on_cancel",)

    def __init__(self, on_cancel: Callable[[], object]) -> None:
        super().__init__()
        self._on_cancel = on_cancel

    def cancel(self, msg: Any | None = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled:
            on_cancel = self._on_cancel
            del self._on_cancel
            on_cancel()
        return cancelled

    def wake(self) -> None:
        if not self.done():
            # The callback's owner usually refers to this sleeper: dropped, they are freed without the garbage collector.
            del self._on_cancel
            self.set_result(None)


@final
class AsyncioHandover(asyncio.Future[Any]):
    """A future whose task is cancelled even if it was given something before, as long as that task has not run again.

    A task whose future is done is cancelled at its next step; but anyio spares it then, and tries again later. So this one
    never says that it is done, and nobody asks for that once the task runs.
    """

    __slots__ = ("owner",)

    owner: HandoverOwner

    def done(self) -> bool:
        return False

    def cancel(self, msg: Any | None = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled:
            self.owner.cancelled()
        elif self.exception() is None:
            self.owner.cancelled(self.result())
        return cancelled

    give = asyncio.Future[Any].set_result
    fail = asyncio.Future[Any].set_exception
