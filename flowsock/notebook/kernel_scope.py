"""The scope that lives as long as the kernel."""

from __future__ import annotations

import asyncio
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakKeyDictionary

from flowsock.scopes.scope import Supervisor, log_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from flowsock.scopes.job import Job


class KernelScope(Supervisor):
    """Own jobs that go on when their cell has ended; made by `scope`.

    Laws: jobs fail on their own, and are logged. They end with the kernel's process, where no code of theirs runs any more,
    so stop those first that have something to clean up. Outside of Jupyter, the end of ``asyncio.run`` cancels them.

    >>> jobs = notebook.scope()
    >>> job = jobs.launch(sleep, 60, name="nap")
    >>> jobs
    nap: active
    >>> await jobs.stop("nap")
    >>> jobs
    no jobs
    """

    __slots__ = ()

    def __init__(self, tasks: _LoopTasks) -> None:
        super().__init__(tasks, log_failure)

    def replace(self, name: str) -> None:
        """Cancel the jobs that have a name, because another one takes it: a cell was run again."""
        for job in self.jobs:
            if job.name == name:
                job.cancel("another job took its name")

    async def stop(self, *names: str) -> None:
        """Cancel the jobs of these names, or all jobs if there are none, and wait until they have ended.

        Raises:
            KeyError: there is no job of a name; says which there are.

        >>> job = notebook.scope().launch(sleep, 60, name="nap")
        >>> await notebook.scope().stop()
        >>> job.is_cancelled
        True
        """
        known = {job.name for job in self.jobs}
        for name in names:
            if name not in known:
                raise KeyError(f"no job is called {name!r}; there {_listed(sorted(known))}")
        stopped = [job for job in self.jobs if not names or job.name in names]
        for job in stopped:
            job.cancel("stopped")
        for job in stopped:
            await job.join()

    def __repr__(self) -> str:
        return "\n".join(f"{job.name}: {_state(job)}" for job in self.jobs) or "no jobs"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(job.name)}</td><td>{_state(job)}</td></tr>" for job in self.jobs)
        return f"<table><tr><th>job</th><th></th></tr>{rows}</table>" if rows else "no jobs"


class _LoopTasks:
    """Tasks of an event loop, which nobody waits for but the loop when it ends."""

    __slots__ = ("_running",)

    tells_all: ClassVar = True

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def cancel_scope(self) -> _LoopTasks:
        return self

    @property
    def cancel_called(self) -> bool:
        return False

    def cancel(self) -> None:
        """End all tasks; the scope goes on, since there is one as long as there is a kernel."""
        for task in self._running:
            task.cancel()

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, Any]], /, *args: Any, name: Any = None) -> object:
        task = asyncio.create_task(function(*args), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _state(job: Job[Any]) -> str:
    return "ending" if job.is_cancelled else "active" if job.is_active else "new"


def _listed(names: list[str]) -> str:
    return f"are {', '.join(names)}" if names else "are none"


_SCOPES: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, KernelScope]] = WeakKeyDictionary()


def scope() -> KernelScope:
    """Give the scope that lives as long as the kernel: ``flow.launch_in(notebook.scope(), name="feed")``.

    Law: it is always the same one in a kernel. It needs asyncio, which Jupyter's kernel runs on.

    Raises:
        RuntimeError: no event loop is running.

    >>> notebook.scope() is notebook.scope()
    True
    """
    loop = asyncio.get_running_loop()
    if loop not in _SCOPES:
        _SCOPES[loop] = KernelScope(_LoopTasks())
    return _SCOPES[loop]
