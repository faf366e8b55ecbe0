"""A job without a function of its own: anybody ends it, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from anyio import get_cancelled_exc_class

from flowsock.scopes.job import Job

if TYPE_CHECKING:
    from flowsock.scopes.scope import Scope

T = TypeVar("T")


class CompletableDeferred(Job[T]):
    """A value, or an error, that is set once by anybody and awaited by many (Kotlin: ``CompletableDeferred``).

    Law: the first of `complete`, `complete_exceptionally` and `cancel` decides; it ends the job at once, and those who wait run
    at their next turn. As a child it keeps its scope from ending until then, its error fails the scope, and the end of the
    scope cancels it. Nothing else can be launched in it: that takes a scope.

    Args:
        parent: The scope that it is a child of; without one it stands alone.
        name: What `repr` and `JobCancelled` call it.

    Raises:
        RuntimeError: the block that made the parent has ended.

    >>> deferred = CompletableDeferred()
    >>> deferred.complete("hello")
    True
    >>> await deferred
    'hello'
    """

    __slots__ = ()

    def __init__(self, parent: Scope | None = None, *, name: str = "deferred") -> None:
        super().__init__(name)
        if parent is not None:
            parent.adopt(self)

    def complete(self, value: T, /) -> bool:
        """Set the result.

        Returns:
            True for the call that ended the job; any later one does nothing.
        """
        if self._completed:
            return False
        self._result = value
        self.complete_once()
        return True

    def complete_exceptionally(self, error: Exception, /) -> bool:
        """Set the error that everybody who awaits the job gets.

        Returns:
            True for the call that ended the job; any later one does nothing.
        """
        if self._completed:
            return False
        self._error = error
        self._traceback = error.__traceback__
        self.complete_once()
        return True

    def _interrupt(self) -> None:
        self.complete_once()

    async def run(self) -> None:
        try:
            await self.join()
        except get_cancelled_exc_class():
            self.cancel("a scope around it was cancelled", cause=self.cancellation)
            if self._error is None:
                raise
        if self._error is not None:
            raise self._error.with_traceback(self._traceback)
