"""What a channel tells of itself in numbers."""

from __future__ import annotations

from attrs import frozen


@frozen
class ChannelStatistics:
    """What a channel holds at one moment.

    Attributes:
        size: Values in the buffer.
        waiting_senders: Suspended calls of ``send``.
        waiting_receivers: Suspended calls of ``receive``, and idle collectors.
        dropped: Values lost to the overflow policy since the channel was made.
    """

    size: int
    waiting_senders: int
    waiting_receivers: int
    dropped: int
