"""What the operating system says of this process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_STATM: Final = Path("/proc/self/statm")
_MIB: Final = 2**20


def rate_of(total: Callable[[], float]) -> Callable[[], float]:
    """Make a function that tells by how much a total grew, per second, since it was last asked."""
    last_time, last_total = monotonic(), total()

    def rate() -> float:
        nonlocal last_time, last_total
        elapsed, grown = monotonic() - last_time, total() - last_total
        last_time, last_total = last_time + elapsed, last_total + grown
        return grown / elapsed if elapsed > 0 else 0.0

    return rate


def memory_mib() -> float:
    """Give the resident memory of this process in MiB; where only the peak is known, that."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / _MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024
