"""How often, and how fast, a failed job is started again."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING

from anyio import current_time
from attrs import field, frozen, validators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@frozen
class Backoff:
    """Grow the wait between attempts, with full jitter.

    Law: the n-th wait is drawn evenly between zero and ``min(maximum, initial * factor ** n)``, so that many clients that
    failed together do not come back together.

    Args:
        initial: Upper bound of the first wait, in seconds.
        maximum: Upper bound of every wait, in seconds.
        factor: What each bound is multiplied by to give the next.
        jitter: Draws from ``[0, 1)``; ``lambda: 1.0`` switches jitter off.

    >>> waits = Backoff(1.0, jitter=lambda: 1.0).waits()
    >>> [next(waits) for _ in range(4)]
    [1.0, 2.0, 4.0, 8.0]
    """

    initial: float = field(default=0.5, validator=validators.ge(0))
    maximum: float = field(default=30.0, kw_only=True, validator=validators.ge(0))
    factor: float = field(default=2.0, kw_only=True, validator=validators.ge(1))
    jitter: Callable[[], float] = field(default=random.random, kw_only=True, repr=False)

    def waits(self) -> Iterator[float]:
        """Yield the waits in seconds, without end."""
        bound = min(self.initial, self.maximum)
        while True:
            yield bound * self.jitter()
            bound = min(bound * self.factor, self.maximum)


@frozen
class Restart:
    """Start a failed job again, within a budget.

    Law: a job that failed more than ``attempts`` times ``within`` so many seconds stays failed. A pause that long between two
    failures starts the backoff afresh.

    Args:
        attempts: How many restarts are allowed within the window.
        within: The window, in seconds.
        backoff: The waits between attempts.

    >>> texts = iter(["x", "1"])
    >>> async with coroutine_scope() as scope:
    ...     await scope.launch(lambda: int(next(texts)), restart=Restart(attempts=1))
    1
    """

    attempts: int = field(default=5, kw_only=True, validator=validators.ge(1))
    within: float = field(default=60.0, kw_only=True, validator=validators.gt(0))
    backoff: Backoff = field(factory=Backoff, kw_only=True)

    def budget(self) -> RestartBudget:
        """Open the account of one job."""
        return RestartBudget(self)


class RestartBudget:
    """The restarts that one job has used."""

    __slots__ = ("_failures", "_policy", "_waits")

    def __init__(self, policy: Restart) -> None:
        self._policy = policy
        self._failures: deque[float] = deque()
        self._waits = policy.backoff.waits()

    def next_wait(self) -> float | None:
        """Record a failure; give the seconds to wait before the restart, or ``None`` if the budget is spent."""
        now = current_time()
        if self._failures and self._failures[-1] <= now - self._policy.within:
            self._waits = self._policy.backoff.waits()
        while self._failures and self._failures[0] <= now - self._policy.within:
            self._failures.popleft()
        if len(self._failures) >= self._policy.attempts:
            return None
        self._failures.append(now)
        return next(self._waits)
