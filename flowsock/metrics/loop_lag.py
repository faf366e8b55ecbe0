"""How late the event loop is."""

from __future__ import annotations

from collections import deque

from anyio import current_time, sleep_until


class LoopLag:
    """Look at how late timers fire: while something blocks the event loop, everybody is late by as much.

    Law: it costs one timer each period.

    Args:
        period: Seconds between two looks.
        window: Seconds that a look counts for.

    Raises:
        ValueError: a duration is not above 0.

    >>> lag = LoopLag(period=1)
    >>> async with coroutine_scope() as scope:
    ...     looking = scope.launch(lag.run)
    ...     await sleep(5)
    ...     scope.cancel()
    >>> lag.worst
    0.0
    """

    __slots__ = ("_lags", "_period", "_window")

    def __init__(self, *, period: float = 0.25, window: float = 15.0) -> None:
        if not (period > 0 and window > 0):
            raise ValueError(f"period and window are above 0 seconds, not {period} and {window}")
        self._period = period
        self._window = window
        self._lags: deque[tuple[float, float]] = deque()

    async def run(self) -> None:
        """Look, for as long as this runs."""
        while True:
            due = current_time() + self._period
            await sleep_until(due)
            now = current_time()
            self._lags.append((now, now - due))
            self._forget(now)

    def _forget(self, now: float) -> None:
        while self._lags and self._lags[0][0] < now - self._window:
            self._lags.popleft()

    @property
    def worst(self) -> float | None:
        """Give the longest lag within the window, in seconds; ``None`` before the first look."""
        return max((lag for _time, lag in self._lags), default=None)
