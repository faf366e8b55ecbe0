"""What a message looks like on its way through a broker.

``flowsock1 <origin> <number> <t|b> <content>``: who sent it, its number among all that this sender sent to this topic, whether
the content is text or bytes, and the content. It is made to be read by people too, in ``redis-cli MONITOR`` or ``nats sub``.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

_MAGIC: Final = b"flowsock1"
_MAX_ORIGIN: Final = 32
OVERHEAD: Final = len(_MAGIC) + _MAX_ORIGIN + len(str(2**64)) + 5
"""How many bytes an envelope adds to its content, at most."""


@frozen
class Envelope:
    """One message, with who sent it.

    Attributes:
        origin: The sender: one topic in one process.
        number: Counts what it sent, from 1.
        content: The message, encoded.
    """

    origin: str
    number: int
    content: str | bytes

    def pack(self) -> bytes:
        """Give the bytes that go to a broker."""
        kind, content = (b"t", self.content.encode()) if isinstance(self.content, str) else (b"b", self.content)
        return b" ".join((_MAGIC, self.origin.encode(), b"%d" % self.number, kind, content))


def unpack(data: bytes) -> Envelope:
    """Read the bytes that came from a broker.

    Raises:
        ValueError: this is no envelope.
    """
    parts = data.split(b" ", 4)
    if len(parts) != 5 or parts[0] != _MAGIC:
        raise ValueError("not an envelope of flowsock's")
    _, origin, number, kind, content = parts
    is_number = number.isdigit() and len(number) <= 20
    if not (0 < len(origin) <= _MAX_ORIGIN and origin.isalnum() and is_number and kind in (b"t", b"b")):
        raise ValueError("a malformed envelope")
    return Envelope(origin.decode("ascii"), int(number), content.decode() if kind == b"t" else content)
