"""A codec that encodes once what goes to many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from flowsock.codecs.immutable import is_immutable

if TYPE_CHECKING:
    from flowsock.codecs.message_codec import MessageCodec

T = TypeVar("T")

_NOBODY: Final[Any] = object()
_MAX_MEMO: Final = 2**20


class EncodeOnce(Generic[T]):
    """Remember the last message that was encoded, if it is one that cannot change.

    Law: what `encode` gives is what the message is now. A mutable message is encoded each time.

    Args:
        codec: What translates.
    """

    __slots__ = ("_codec", "_memo", "accepts")

    def __init__(self, codec: MessageCodec[T]) -> None:
        self.accepts = codec.accepts
        self._codec = codec
        # One tuple, so that threads see both halves or neither. It keeps the message, so that no other gets its identity.
        self._memo: tuple[T, str | bytes] = (_NOBODY, b"")

    def encode(self, message: T, /) -> str | bytes:
        """Give the content of a frame, the same object for the same message."""
        last, encoded = self._memo
        if last is not message:
            encoded = self._codec.encode(message)
            kind: Any = type(message)
            if is_immutable(kind) and len(encoded) <= _MAX_MEMO:
                self._memo = message, encoded
        return encoded

    def decode(self, data: str | bytes, /) -> T:
        """Give the message of a frame's content."""
        return self._codec.decode(data)
