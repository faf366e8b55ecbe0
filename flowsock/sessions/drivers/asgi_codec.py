"""Messages as the events of an ASGI host."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from attrs import frozen

from flowsock.errors import FlowsockError
from flowsock.wire.close import CloseCode, CloseReason
from flowsock.wire.frames import Close, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowsock.sessions.config import WebSocketConfig
    from flowsock.wire.frames import Event


@frozen
class AsgiEvents:
    """Hold events from or for the host.

    Args:
        events: The events, in order.
        size: The bytes of their messages, which is their length.
    """

    events: tuple[Mapping[str, Any], ...]
    size: int

    def __len__(self) -> int:
        return self.size

    @property
    def closes(self) -> bool:
        """Tell whether a close is the last of them."""
        return bool(self.events[-1]["type"] == "websocket.close")


def received(event: Mapping[str, Any]) -> AsgiEvents:
    """Take an event of the host's."""
    text = event.get("text")
    return AsgiEvents((event,), len(event.get("bytes") or b"") if text is None else _size(text))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


class AsgiCodec:
    """Translate between messages and events.

    What RFC 6455 says about frames is the host's business: there are neither fragments nor pings here.
    """

    __slots__ = ("max_fragments", "max_message_size")

    def __init__(self, config: WebSocketConfig) -> None:
        self.max_message_size = config.max_message_size
        self.max_fragments = config.max_fragments

    def receive(self, data: AsgiEvents, /) -> list[Event]:
        """Give the messages, or the end."""
        return [self._event(event, data.size) for event in data.events]

    def _event(self, event: Mapping[str, Any], size: int) -> Event:
        if event["type"] == "websocket.disconnect":
            code = event.get("code", CloseCode.NO_STATUS)
            return Close(None if code == CloseCode.NO_STATUS else CloseReason(code, event.get("reason") or ""))
        if self.max_message_size is not None and size > self.max_message_size:
            return Failure(CloseReason(CloseCode.TOO_BIG, f"message longer than {self.max_message_size} bytes"))
        text: str | None = event.get("text")
        return bytes(event["bytes"]) if text is None else text

    def text(self, message: str, /) -> AsgiEvents:
        """Make a text an event.

        Raises:
            UnicodeEncodeError: it has no UTF-8 form.
        """
        return AsgiEvents(({"type": "websocket.send", "text": message},), _size(message))

    def binary(self, message: bytes, /) -> AsgiEvents:
        """Make bytes an event."""
        return AsgiEvents(({"type": "websocket.send", "bytes": message},), len(message))

    def ping(self, payload: bytes, /) -> AsgiEvents:
        """Refuse: a host tells nothing of pings.

        Raises:
            FlowsockError: always.
        """
        raise FlowsockError("under ASGI, pings are the host's business: it sends them, and tells nobody of the answers")

    pong = ping

    def close(self, reason: CloseReason | None, /) -> AsgiEvents:
        """Make a Close an event."""
        code, message = (CloseCode.NORMAL, "") if reason is None else (reason.code, reason.message)
        return AsgiEvents(({"type": "websocket.close", "code": int(code), "reason": message},), 0)

    def deflate_statistics(self) -> None:
        """Count nothing: whether there is compression is between the host and the client."""

    def gather(self, frames: Sequence[AsgiEvents], /) -> AsgiEvents:
        """Put events behind each other."""
        return AsgiEvents(tuple(chain.from_iterable(each.events for each in frames)), sum(map(len, frames)))
