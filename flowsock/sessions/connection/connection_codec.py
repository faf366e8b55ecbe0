"""What a connection needs of a codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowsock.wire.close import CloseReason
    from flowsock.wire.deflate import DeflateStatistics
    from flowsock.wire.frames import Event


class Encoder(Protocol):
    """Turn messages into what a transport carries: bytes, or the events of a host. Whatever that is has a length, in bytes."""

    def text(self, message: str, /) -> Any:
        """Encode a text."""
        ...

    def binary(self, message: bytes, /) -> Any:
        """Encode bytes."""
        ...

    def pong(self, payload: bytes, /) -> Any:
        """Encode the answer to a ping."""
        ...

    def gather(self, frames: Sequence[Any], /) -> Any:
        """Make one of several, to be written together."""
        ...


class ConnectionCodec(Encoder, Protocol):
    """Translate between messages and what a transport carries (`wire.codec.Codec`), in both directions.

    Attributes:
        max_message_size: How many bytes a received message may have, or None.
        max_fragments: How many frames a received message may have.
    """

    max_message_size: int | None
    max_fragments: int

    def receive(self, data: Any, /) -> Iterable[Event]:
        """Give the events that received data complete."""
        ...

    def ping(self, payload: bytes, /) -> Any:
        """Encode a ping."""
        ...

    def close(self, reason: CloseReason | None, /) -> Any:
        """Encode a Close."""
        ...

    def deflate_statistics(self) -> DeflateStatistics | None:
        """Count what was compressed; None where nothing is."""
        ...
