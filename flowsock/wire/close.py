"""Why a WebSocket connection ends: codes and reasons (RFC 6455 section 7.4)."""

from __future__ import annotations

from enum import IntEnum

from attrs import field, frozen

MAX_MESSAGE_BYTES = 123
"""A control frame carries 125 bytes (RFC 6455 section 5.5), and the code takes two of them."""


class CloseCode(IntEnum):
    """Name the close codes that the protocol itself uses (RFC 6455 section 7.4.1 and IANA's registry).

    >>> CloseCode(1001)
    <CloseCode.GOING_AWAY: 1001>
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    CANNOT_ACCEPT = 1003
    NO_STATUS = 1005
    CLOSED_ABNORMALLY = 1006
    NOT_CONSISTENT = 1007
    VIOLATED_POLICY = 1008
    TOO_BIG = 1009
    NO_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013


_NAMES = {code.value: code.name for code in CloseCode}
_RESERVED = frozenset((1004, 1005, 1006))


def is_sendable(code: int) -> bool:
    """Tell whether a close frame may carry this code.

    1004 to 1006 only ever describe what was seen, 1015 to 2999 belong to nobody yet.

    Args:
        code: The close code (RFC 6455 section 7.4.2).
    """
    return (1000 <= code <= 1014 and code not in _RESERVED) or 3000 <= code <= 4999


def truncate_message(text: str) -> str:
    """Cut a message to what a close frame can carry.

    The cut never falls inside a code point; lone surrogates become ``?``.

    Args:
        text: The message, of any length (RFC 6455 section 5.5: 125 bytes with the code).
    """
    return text.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")


def _check_message(_reason: object, _attribute: object, message: str) -> None:
    # UnicodeEncodeError, for lone surrogates, is a ValueError too.
    if len(message.encode()) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a close message is at most {MAX_MESSAGE_BYTES} bytes of UTF-8, see truncate_message()")


@frozen
class CloseReason:
    """Tell why a connection ended, or is to end.

    Any code may be described; `is_sendable` says which may also be sent.

    Args:
        code: The close code (RFC 6455 section 7.4).
        message: Text for people and logs.

    Raises:
        ValueError: The message takes more than 123 bytes of UTF-8, or has no UTF-8 form.

    >>> print(CloseReason(CloseCode.GOING_AWAY, "bye"))
    1001 (GOING_AWAY): bye
    """

    code: int = field(converter=int)
    message: str = field(default="", validator=_check_message)

    @property
    def is_clean(self) -> bool:
        """Tell whether this is an end without a fault: 1000 or 1001."""
        return self.code in (CloseCode.NORMAL, CloseCode.GOING_AWAY)

    def __str__(self) -> str:
        name = _NAMES.get(self.code)
        code = f"{self.code} ({name})" if name else str(self.code)
        return f"{code}: {self.message}" if self.message else code
