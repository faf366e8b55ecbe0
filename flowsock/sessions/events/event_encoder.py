"""Values of a handler's flow as the text of an event stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flowsock.codecs.choosing import codec_for
from flowsock.wire.server_sent_event import ServerSentComment, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

HEARTBEAT: Final = ServerSentComment().encoded


def encoded(value: Any) -> bytes:
    """Give what is on the wire for a value: an event as it is, text as its data, anything else as the JSON of its codec.

    Raises:
        TypeError: bytes are no text, and what has no JSON form is nothing to send.
    """
    if isinstance(value, ServerSentEvent | ServerSentComment):
        return value.encoded
    if isinstance(value, str):
        return ServerSentEvent(value).encoded
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("an event stream carries text, not bytes: decode them, or write them in base64")
    return ServerSentEvent(str(codec_for(type(value)).encode(value))).encoded


class EventEncoder:
    """Give an outbox what it writes: events that are encoded already, and heartbeats in place of pongs."""

    __slots__ = ()

    def text(self, message: str, /) -> bytes:
        return encoded(message)

    def binary(self, message: bytes, /) -> bytes:
        return message

    def pong(self, _payload: bytes, /) -> bytes:
        return HEARTBEAT

    def gather(self, frames: Sequence[bytes], /) -> bytes:
        return b"".join(frames)
