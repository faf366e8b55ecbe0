"""What brokers and topics tell of themselves in numbers."""

from __future__ import annotations

from attrs import frozen

from flowsock.flows.statistics import SharedFlowStatistics


@frozen(kw_only=True)
class TopicStatistics(SharedFlowStatistics):
    """What passed through one topic, in this process; what a shared flow counts, too.

    Attributes:
        received: Messages that came from the broker, those of this process included, and were emitted.
        duplicates: Messages that came again, and were not.
        junk: What came and was no message of the topic's type.
        oversized: Messages that came and were larger than the limit.
        lost: Messages that are known to be missing.
        gaps: How often messages were missing, or may have been.
        waiting: Messages that came and wait for slow collectors.
    """

    received: int = 0
    duplicates: int = 0
    junk: int = 0
    oversized: int = 0
    lost: int = 0
    gaps: int = 0
    waiting: int = 0


@frozen
class BrokerStatistics:
    """What passed through one broker, in this process.

    Attributes:
        topics: How many there are.
        waiting: Messages that were emitted, and that the broker has not acknowledged.
        published: Messages that it has.
        refused: Messages that it did not want.
        dropped: Messages that the outbound buffer lost to its policy.
        connections: How often a connection was opened.
    """

    topics: int
    waiting: int = 0
    published: int = 0
    refused: int = 0
    dropped: int = 0
    connections: int = 0
