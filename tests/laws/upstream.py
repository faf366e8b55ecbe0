"""A source that tells what becomes of it, for laws about what an operator does to what is above it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AsyncExitStack
from math import inf
from typing import TYPE_CHECKING

from anyio import CancelScope, Event, create_task_group, get_cancelled_exc_class, get_current_task, sleep, sleep_forever

from flowsock import flow
from tests.turns import a_while

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PACE = 0.001


class Upstream:
    """Emits 1, 2, 3, …, and remembers what happened.

    Attributes:
        values: How many.
        error: What it raises after them.
        endless: Whether it waits for ever after them, instead of ending.
        in_a_group: Whether it emits from within a task group that has a child which never ends.
        paced: After how many values it waits until the collector has seen them; before them it waits a moment.
        cleanup_error: What it raises when it has cleaned up.
        opened: How often it was started.
        closed: How often it, and its child, have cleaned up; it has to wait for that.
        cancelled: How often it saw a cancellation.
        accepted: How many emissions returned.
        tasks: The tasks that it ran in.
        seen: What the collector saw.
        exhausted: Whether all values were accepted.
    """

    def __init__(
        self,
        values: int = 3,
        *,
        error: Exception | None = None,
        endless: bool = False,
        in_a_group: bool = False,
        paced: float = inf,
        cleanup_error: Exception | None = None,
    ) -> None:
        self.values = values
        self.error = error
        self.endless = endless
        self.in_a_group = in_a_group
        self.paced = paced
        self.cleanup_error = cleanup_error
        self.opened = self.closed = self.cancelled = self.accepted = 0
        self.tasks: set[int] = set()
        self.seen: list[int] = []
        self.exhausted = Event()
        self._handled: defaultdict[int, Event] = defaultdict(Event)

    @property
    def is_closed(self) -> bool:
        """Tell whether all that was started has cleaned up."""
        return self.closed == self.opened

    def see(self, value: int) -> None:
        """Handle a value, as the collector."""
        self.seen.append(value)
        self._handled[value].set()

    async def see_slowly(self, value: int) -> None:
        """Handle a value, as a collector that has to wait for it."""
        await a_while()
        self.see(value)

    @flow
    async def emitted(self) -> AsyncIterator[int]:
        self._enter()
        try:
            async with AsyncExitStack() as resources:
                if self.in_a_group:
                    group = await resources.enter_async_context(create_task_group())
                    group.start_soon(self._hang)
                    resources.callback(group.cancel_scope.cancel)
                for value in range(1, self.values + 1):
                    if value <= self.paced:
                        await sleep(PACE)
                    yield value
                    self.accepted += 1
                    self.tasks.add(get_current_task().id)
                    if value <= self.paced:
                        await self._handled[value].wait()
                self.exhausted.set()
                if self.endless:
                    await sleep_forever()
                if self.error is not None:
                    raise self.error
        except get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            await self._leave()

    async def _hang(self) -> None:
        self.opened += 1
        try:
            await sleep_forever()
        finally:
            await self._clean_up()

    def _enter(self) -> None:
        self.opened += 1
        self.tasks.add(get_current_task().id)

    async def _clean_up(self) -> None:
        try:
            with CancelScope(shield=True):
                await a_while()
        finally:
            self.closed += 1

    async def _leave(self) -> None:
        await self._clean_up()
        self.tasks.add(get_current_task().id)
        if self.cleanup_error is not None:
            raise self.cleanup_error
