"""What ties a topic to a broker that is somewhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from flowsock.brokers.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowsock.brokers.feed import Feed
    from flowsock.brokers.outbox import Outbox
    from flowsock.codecs.message_codec import MessageCodec

T = TypeVar("T")


class Line(Generic[T]):
    """Carry the messages of one topic away, under an id of its own; its feed brings them.

    Args:
        topic: The name of the topic.
        outbox: Takes what is to go.
        feed: Gives what comes.
        codec: What writes the messages.
        max_message_size: Bytes of an encoded message, at most.
    """

    __slots__ = ("_codec", "_max_message_size", "_origin", "_outbox", "_topic", "feed")

    def __init__(self, topic: str, outbox: Outbox, feed: Feed[T], codec: MessageCodec[T], max_message_size: int) -> None:
        self.feed = feed
        self._topic = topic
        self._outbox = outbox
        self._codec = codec
        self._max_message_size = max_message_size
        self._origin = Origin()

    def send(self, message: T) -> Awaitable[None]:
        """Let a message go; see `Topic.emit`."""
        return self._outbox.send(self._origin, self._topic, self._encode(message))

    def send_nowait(self, message: T) -> None:
        """Let a message go if there is room; see `Topic.emit_nowait`."""
        self._outbox.send_nowait(self._origin, self._topic, self._encode(message))

    def _encode(self, message: T) -> str | bytes:
        content = self._codec.encode(message)
        size = len(content) if isinstance(content, bytes) or content.isascii() else len(content.encode())
        if size > self._max_message_size:
            limit = self._max_message_size
            raise ValueError(f"a message of {size} bytes is too large for topic {self._topic!r}: the limit is {limit}")
        return content
