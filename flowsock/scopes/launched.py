"""The job that runs a function: what `Scope.launch` gives."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope, current_effective_deadline, get_cancelled_exc_class, sleep
from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.emitting import settle
from flowsock.errors import Cancellation
from flowsock.parking import new_sleeper
from flowsock.scopes.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.parking import Sleeper
    from flowsock.scopes.restart import Restart

T_co = TypeVar("T_co", covariant=True)


class LaunchedJob(Job[T_co]):
    """A job whose task runs a function; a lazy one's task waits to be started."""

    __slots__ = ("_cancel_scope", "_function", "_restart", "_sleeper", "_started")

    def __init__(self, function: Callable[[], Any], name: str, *, restart: Restart | None, lazy: bool) -> None:
        super().__init__(name)
        self._function: Callable[[], Any] | None = function
        self._restart = restart
        self._started = not lazy
        self._sleeper: Sleeper | None = None
        self._cancel_scope: CancelScope | None = None

    @property
    def is_active(self) -> bool:
        return self._started and super().is_active

    def start(self) -> bool:
        if self._started or self._completed:
            return False
        self._started = True
        if self._sleeper is not None:
            self._sleeper.wake()
        return True

    def _interrupt(self) -> None:
        if self._cancel_scope is not None:
            self._cancel_scope.cancel()
        if not self._started:
            self.complete_once()

    async def run(self) -> None:
        try:
            with CancelScope() as self._cancel_scope:
                if self._cancellation is not None:
                    self._cancel_scope.cancel()
                if not self._started:
                    self._sleeper = new_sleeper()
                    await self._sleeper
                await self._work()
        except get_cancelled_exc_class():
            self.cancel("a scope around it was cancelled", cause=self.cancellation)
            # What came from above goes back there, so that a timeout knows of itself. A stray cancellation, such as that of an
            # asyncio task that was awaited, ends here.
            if _is_cancelled_here():
                raise
        except Cancellation as error:
            self.cancel("what it waited for was cancelled", cause=error)
        except BaseException as error:
            self._error = error
            self._traceback = error.__traceback__
            raise
        finally:
            self._cancel_scope = self._function = None

    async def _work(self) -> None:
        assert self._function is not None
        budget = None if self._restart is None else self._restart.budget()
        while True:
            await checkpoint_if_cancelled()
            try:
                self._result = await settle(self._function())
            except Cancellation:
                raise
            except Exception:
                wait = None if budget is None or _is_cancelled_here() else budget.next_wait()
                if wait is None:
                    raise
                await sleep(wait)
            else:
                return


def _is_cancelled_here() -> bool:
    return current_effective_deadline() == -inf
