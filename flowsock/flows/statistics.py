"""What a shared flow tells of itself in numbers."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class SharedFlowStatistics:
    """What a shared flow holds at one moment, and what it was given so far.

    Attributes:
        emitted: Values that it took since it was made; of a state, how often it changed.
        collectors: Who collects it now.
        lag: Values that the slowest collector has not picked up.
        suspended: Emitters that wait for it.
        dropped: Values lost to the overflow policy.
    """

    emitted: int
    collectors: int
    lag: int = 0
    suspended: int = 0
    dropped: int = 0
