"""What turns messages into the content of frames, and back."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, TypeVar

T = TypeVar("T")


class MessageFormat(StrEnum):
    """Choose how messages are written down.

    >>> MessageFormat("msgpack")
    <MessageFormat.MSGPACK: 'msgpack'>
    """

    JSON = "json"
    """JSON (RFC 8259), as text."""

    MSGPACK = "msgpack"
    """MessagePack, as bytes."""


class MessageCodec(Protocol[T]):
    """Translate between messages and text or bytes; write your own for a format that flowsock does not know.

    Laws: what was encoded decodes to an equal message. Both are plain functions, called while the socket is read or written:
    they must not block. An immutable message may be encoded once for all sessions it goes to.

    Attributes:
        accepts: The kinds of frame that messages come in: ``str`` for text, ``bytes`` for binary.

    >>> class Numbers:
    ...     accepts = frozenset({bytes})
    ...     def encode(self, message: int) -> bytes:
    ...         return message.to_bytes(8)
    ...     def decode(self, data: bytes) -> int:
    ...         if len(data) != 8:
    ...             raise ValueError(f"a number has 8 bytes, not {len(data)}")
    ...         return int.from_bytes(data)
    >>> codec: MessageCodec[int] = Numbers()
    >>> codec.decode(codec.encode(42))
    42
    """

    @property
    def accepts(self) -> frozenset[type]:
        """Give the kinds of frame that messages come in."""
        ...

    def encode(self, message: T, /) -> str | bytes:
        """Give the content of a frame: ``str`` for text, ``bytes`` for binary.

        Raises:
            Exception: the message is none; whoever sends it gets the error.
        """
        ...

    def decode(self, data: str | bytes, /) -> T:
        """Give the message.

        Raises:
            ValueError: the data is no message. Anything else is a defect of the codec, and ends the session with 1011.
        """
        ...
