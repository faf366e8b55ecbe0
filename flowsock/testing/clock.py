"""Virtual time: an event loop whose clock jumps to the next timer as soon as nothing else is left to do."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for input, moves the clock on; input that is already there is served first."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout is None:
            return ready or super().select(timeout)
        self.now += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop on virtual time; use it where nothing outside the process has to be waited for.

    Law: when nothing is left to do, the clock jumps to the next timer. Input that is there is served before that.

    >>> loop = VirtualTimeLoop()
    >>> loop.time()
    0.0
    >>> loop.close()
    """

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)
        # asyncio takes timers that are due within this time for due. Its own value vanishes in the rounding of a late clock,
        # which would then stand still before a timer for ever.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Give the virtual time, in seconds since the loop was made."""
        return self._clock.now


def virtual_time(backend: str) -> tuple[str, Mapping[str, Any]]:
    """Give the backend and the options with which anyio runs on virtual time.

    Args:
        backend: ``"asyncio"`` or ``"trio"``.

    Raises:
        ValueError: there is no such backend.

    Law: each run starts with a clock of its own.

    >>> backend, options = virtual_time("asyncio")
    >>> backend, list(options)
    ('asyncio', ['loop_factory'])
    """
    if backend == "asyncio":
        return backend, {"loop_factory": VirtualTimeLoop}
    if backend == "trio":
        from trio.testing import MockClock

        return backend, {"clock": MockClock(autojump_threshold=0)}
    raise ValueError(f"there is virtual time on 'asyncio' and 'trio', not on {backend!r}")
