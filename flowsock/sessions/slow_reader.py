"""What happens to messages for a peer that does not read."""

from __future__ import annotations

from enum import StrEnum


class SlowReader(StrEnum):
    """Choose who pays for a peer that reads too slowly.

    A peer is slow from the moment that ``outgoing_high_water`` bytes wait for it, until it has read most of them. All policies
    but `SUSPEND` keep a queue of their own for that time, of ``outgoing_queue`` messages and ``outgoing_queue_size`` bytes (one
    message always fits), and never make the sender wait. What is lost is counted in ``session.statistics().dropped``.

    >>> SlowReader("close")
    <SlowReader.CLOSE: 'close'>
    """

    SUSPEND = "suspend"
    """The sender waits; the session ends with 1013 when the peer has not caught up in ``send_timeout``."""

    DROP_OLDEST = "drop_oldest"
    """A full queue loses its oldest message; the session ends with 1013 when the peer read so little for ``send_timeout`` that
    nothing more could be written."""

    DROP_LATEST = "drop_latest"
    """A full queue takes no message more; the session ends as with `DROP_OLDEST`."""

    CONFLATE = "conflate"
    """Only the latest message is kept; the session ends as with `DROP_OLDEST`."""

    CLOSE = "close"
    """Nothing is lost but the session: it ends with 1013 when the queue is full, or the peer has not caught up in
    ``send_timeout``."""
