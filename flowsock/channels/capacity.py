"""How many values wait in a channel, and what happens to one more."""

from __future__ import annotations

import sys
from collections import deque
from enum import Enum
from typing import Any, Final

RENDEZVOUS: Final = 0
"""No buffer: a sender waits until a receiver takes its value."""
CONFLATED: Final = -1
"""Room for one value, which a newer one replaces."""
BUFFERED: Final = -2
"""The default size: 64 values, or 1 with a dropping policy."""
UNLIMITED: Final = sys.maxsize
"""Room for every value; a sender never waits, and memory grows with the backlog."""

UNUSED: Final[deque[Any]] = deque(maxlen=0)
"""The queue that all channels share until they need their own: an empty deque takes 600 to 800 bytes. It takes nothing in."""

_DEFAULT_CAPACITY: Final = 64


class BufferOverflow(Enum):
    """What happens to a value for which there is no room.

    >>> channel = Channel(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
    >>> await flow_of(1, 2, 3).collect(channel.send)
    >>> channel.receive_nowait()
    3
    """

    SUSPEND = "suspend"
    """The sender waits. Nothing is lost."""
    DROP_OLDEST = "drop_oldest"
    """The oldest value in the buffer makes room."""
    DROP_LATEST = "drop_latest"
    """The new value is dropped."""


def resolve_capacity(capacity: int, on_buffer_overflow: BufferOverflow) -> tuple[int, BufferOverflow]:
    """Turn the symbolic capacities into a number of slots and a policy.

    Raises:
        ValueError: the capacity is negative and none of the named ones, or `CONFLATED` came with a policy of its own.
    """
    dropping = on_buffer_overflow is not BufferOverflow.SUSPEND
    if capacity == CONFLATED:
        if dropping:
            raise ValueError("CONFLATED already says what to drop: leave on_buffer_overflow out")
        return 1, BufferOverflow.DROP_OLDEST
    if capacity == BUFFERED:
        return (1 if dropping else _DEFAULT_CAPACITY), on_buffer_overflow
    if capacity < 0:
        raise ValueError(f"capacity must be 0 or more, or one of RENDEZVOUS, CONFLATED, BUFFERED, UNLIMITED: {capacity}")
    if capacity == RENDEZVOUS and dropping:
        return 1, on_buffer_overflow
    return capacity, on_buffer_overflow
