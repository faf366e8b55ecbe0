"""The job of a launched hot flow, which needs no task while its collector is idle."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.emitting import ignore
from flowsock.flows.operators.buffering import Subscribed
from flowsock.flows.source import HotSource, Source, Staged
from flowsock.scopes.launched import LaunchedJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.flows.subscriber import Subscriber
    from flowsock.scopes.job import Job
    from flowsock.scopes.scope import Scope


class ListeningJob(LaunchedJob[None]):
    """Collect a hot source: in a task first, then in none, and in one for good from the first time that there is a wait."""

    __slots__ = ("_context", "_rests", "_subscriber")

    def __init__(self, subscribe: Callable[[], Subscriber[Any]], name: str) -> None:
        super().__init__(subscribe, name, restart=None, lazy=False)
        self._subscriber: Subscriber[Any] | None = None
        # The task to come has the context of whoever launched the job, whoever emits then.
        self._context = copy_context()
        self._rests = False

    @property
    def is_resting(self) -> bool:
        return self._rests

    def silence(self) -> None:
        if self._subscriber is not None:
            self._subscriber.close()

    async def _work(self) -> None:
        try:
            await checkpoint_if_cancelled()
            subscriber = self._subscriber
            if subscriber is None:
                assert self._function is not None
                subscriber = self._subscriber = self._function()
                await subscriber.begin()
                if subscriber.is_idle:
                    self._rests = True
                    subscriber.start_when_needed(self)
                    return
            await subscriber.run()
        finally:
            if not self.is_resting:
                self._leave()

    def wake(self) -> None:
        """Go on in a task: the collector needs one."""
        assert self.parent is not None
        self._rests = False
        self._context.run(self.parent.wake, self)

    def _interrupt(self) -> None:
        if not self.is_resting:
            super()._interrupt()
            return
        assert self.parent is not None
        self._rests = False
        self._leave()
        self.parent.end(self)

    def _leave(self) -> None:
        self.silence()
        self._subscriber = None


def launch(source: Source[Any], scope: Scope, name: str) -> Job[None]:
    """Collect a source in a job of a scope."""
    subscribe = _subscribing(source)
    if subscribe is None:
        return scope.launch(source.collect, ignore, name=name)
    job = ListeningJob(subscribe, name)
    scope.adopt(job)
    return job


def _subscribing(source: Source[Any]) -> Callable[[], Subscriber[Any]] | None:
    root, chain = (source.root, source.chain(ignore)) if isinstance(source, Staged) else (source, ignore)
    if isinstance(root, Subscribed) or (isinstance(root, HotSource) and root.direct):
        return partial(root.subscribe, chain)
    return None
