"""`ServerSentEvent` and `ServerSentComment`: what an event stream carries, and how it is written (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen
from attrs.validators import ge, optional

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attrs import Attribute

MEDIA_TYPE: Final = "text/event-stream"
LINE_END: Final = re.compile(r"\r\n|\n|\r")
"""What ends a line. Python's own ``splitlines`` knows more line ends than the standard."""

DEFAULT_NAME: Final = "message"


def _one_line(_event: object, attribute: Attribute[Any], value: str | None) -> None:
    if value is not None and ("\r" in value or "\n" in value):
        raise ValueError(f"the {attribute.name} of an event is one line, and this is not: {value!r}")


def _no_null(_event: object, _attribute: object, value: str | None) -> None:
    if value is not None and "\0" in value:
        raise ValueError(f"a client ignores an id with U+0000 in it: {value!r}")


def _some_name(name: str) -> str:
    return name or DEFAULT_NAME


@frozen
class ServerSentEvent:
    """One event of an event stream; `App.sse` sends them, `events` gives them.

    Args:
        data: The content. Line ends of any kind arrive as LF.
        event: The name, one line. Browsers give an event to the listeners of its name.
        id: Where a client stands once it has seen the event, one line: after a lost connection it asks for what comes next
            (``Last-Event-ID``). ``""`` makes it forget where it stands. In an event that was received, the last id that the
            stream has told, or ``None``.
        retry: Seconds that the client is to wait before it connects again, from now on. They travel as milliseconds.

    Raises:
        ValueError: the name or the id has a line end, the id has U+0000, or ``retry`` is negative.

    >>> ServerSentEvent("12.5", event="temperature", id="7").encoded
    b'event: temperature\\ndata: 12.5\\nid: 7\\n\\n'
    """

    data: str
    event: str = field(default=DEFAULT_NAME, converter=_some_name, validator=_one_line, kw_only=True)
    id: str | None = field(default=None, validator=[_one_line, _no_null], kw_only=True)
    retry: float | None = field(default=None, validator=optional(ge(0)), kw_only=True)

    @property
    def encoded(self) -> bytes:
        """Give what is on the wire; made once, however many clients the event goes to.

        Raises:
            UnicodeEncodeError: a text has no UTF-8 form.
        """
        return self._encoded

    # What has an underscore is no part of the event where a codec takes it for a message.
    @cached_property
    def _encoded(self) -> bytes:
        fields = [] if self.event == DEFAULT_NAME else [("event", self.event)]
        fields.extend(("data", line) for line in LINE_END.split(self.data))
        if self.id is not None:
            fields.append(("id", self.id))
        if self.retry is not None:
            fields.append(("retry", str(round(self.retry * 1000))))
        return _block(f"{name}: {value}" for name, value in fields)


@frozen
class ServerSentComment:
    """Lines of an event stream that clients ignore; proxies and people see them.

    Args:
        text: What it says.

    >>> ServerSentComment("nothing new").encoded
    b': nothing new\\n\\n'
    """

    text: str = ""

    @property
    def encoded(self) -> bytes:
        """Give what is on the wire."""
        return _block(f": {line}" if line else ":" for line in LINE_END.split(self.text))


def encode_retry(seconds: float) -> bytes:
    """Write how long a client is to wait before it connects again, outside of any event."""
    return _block([f"retry: {round(seconds * 1000)}"])


def _block(lines: Iterable[str]) -> bytes:
    return "\n".join([*lines, "", ""]).encode()
