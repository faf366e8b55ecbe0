"""What passed through a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from flowsock.wire.deflate import DeflateStatistics


@frozen(kw_only=True)
class ConnectionStatistics:
    """Count what passed through a connection.

    Attributes:
        messages_received: Whole messages from the peer.
        messages_sent: Whole messages to the peer.
        bytes_received: Bytes read from the transport, frame headers included.
        bytes_sent: Bytes given to the transport, frame headers included.
        queued: Messages that wait for the handler.
        unsent: Messages that wait for a slow peer, under a policy other than `SlowReader.SUSPEND`.
        unsent_bytes: Bytes that wait for the peer, here and in the transport.
        dropped: Messages lost to that policy.
        ping_round_trip: Seconds between the last answered ping and its pong, or ``None``.
        deflate: What compression saved, or ``None`` without.
    """

    messages_received: int
    messages_sent: int
    bytes_received: int
    bytes_sent: int
    queued: int
    unsent: int
    unsent_bytes: int
    dropped: int
    ping_round_trip: float | None
    deflate: DeflateStatistics | None
