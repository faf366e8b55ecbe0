"""One call that is to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.sessions.connection.transport import Clock, Timer


class OneTimer:
    """Be called back later, by one timer at a time."""

    __slots__ = ("_clock", "_timer")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timer: Timer | None = None

    def _set_timer(self, delay: float, callback: Callable[[], object]) -> None:
        """Call back after so many seconds, and not at what was set before."""
        self._clear_timer()
        self._timer = self._clock.call_later(delay, callback)

    def _clear_timer(self) -> None:
        """Do not call back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
