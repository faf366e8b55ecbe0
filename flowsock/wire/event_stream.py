"""Reading an event stream from bytes as they arrive, to the letter of the standard (WHATWG HTML, sections 9.2.5 and 9.2.6)."""

from __future__ import annotations

import codecs
from typing import Final

from flowsock.errors import EventStreamError
from flowsock.wire.server_sent_event import DEFAULT_NAME, LINE_END, ServerSentEvent

_MOST_DIGITS: Final = 12
"""More milliseconds than that are decades: no wait."""


class EventStreamReader:
    """Read events.

    Laws: any split of the same bytes gives the same events. An event is given as soon as its empty line is there, even where
    that ends in a CR which an LF may follow. One whose empty line never comes is none. What is not UTF-8 becomes U+FFFD.

    Args:
        last_event_id: Where the stream goes on.
        max_event_size: Characters in one event, comments included; ``None`` for no limit.

    Attributes:
        last_event_id: The last id that was told, of a complete event; ``""`` without.
        retry: The last wait that was told, in seconds, or ``None``.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_decoder",
        "_id",
        "_line",
        "_max_size",
        "_name",
        "_retry",
        "_size",
        "last_event_id",
        "retry",
    )

    def __init__(self, last_event_id: str = "", *, max_event_size: int | None = None) -> None:
        self.last_event_id = last_event_id
        self.retry: float | None = None
        # It takes off a byte order mark at the start, and replaces what is malformed as the encoding standard does.
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._max_size = max_event_size
        self._after_cr = False
        self._line: list[str] = []
        self._size = 0
        self._id = last_event_id
        self._begin()

    def _begin(self) -> None:
        self._data: list[str] = []
        self._name = ""
        self._retry: float | None = None
        self._size = 0

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take received bytes, give the events that they complete.

        Raises:
            EventStreamError: an event is too big.
        """
        text = self._decoder.decode(data)
        if not text:
            return []
        if self._after_cr and text[0] == "\n":
            text = text[1:]
            self._after_cr = False
            if not text:
                return []
        self._after_cr = text[-1] == "\r"
        *lines, rest = LINE_END.split(text)
        events: list[ServerSentEvent] = []
        for line in lines:
            self._count(line)
            if self._line:
                line = "".join((*self._line, line))
                self._line.clear()
            if line:
                self._take(line)
            else:
                self._dispatch(events)
        if rest:
            self._count(rest)
            self._line.append(rest)
        return events

    def _count(self, text: str) -> None:
        self._size += len(text)
        if self._max_size is not None and self._size > self._max_size:
            raise EventStreamError(f"the server sent an event longer than {self._max_size} characters")

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._name = value
            case "id":
                if "\0" not in value:
                    self._id = value
            case "retry":
                if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
                    self.retry = self._retry = int(value) / 1000
            case _:
                # A comment, or a field that is not known, is ignored.
                pass

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        self.last_event_id = self._id
        if self._data:
            name, last_event_id = self._name or DEFAULT_NAME, self._id or None
            events.append(ServerSentEvent("\n".join(self._data), event=name, id=last_event_id, retry=self._retry))
        self._begin()
