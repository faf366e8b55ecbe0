"""What a topic says when messages may be missing."""

from __future__ import annotations

from typing import NoReturn

from attrs import frozen

from flowsock.errors import MessagesLost


@frozen
class Gap:
    """Say that messages of a topic are missing at this place, or may be.

    Attributes:
        topic: The name of the topic.
        lost: How many are missing; ``None`` if nobody can know.
        reason: What happened.

    >>> print(Gap("chat.lobby", 3, "they never came"))
    3 messages of 'chat.lobby' are lost: they never came
    """

    topic: str
    lost: int | None
    reason: str

    def __str__(self) -> str:
        if self.lost is None:
            return f"messages of {self.topic!r} may be lost: {self.reason}"
        what = "1 message" if self.lost == 1 else f"{self.lost} messages"
        return f"{what} of {self.topic!r} {'is' if self.lost == 1 else 'are'} lost: {self.reason}"


def raise_gap(gap: Gap) -> NoReturn:
    """Let the collectors of a topic fail at a gap: ``app.topic("orders", Order, on_gap=raise_gap)``.

    Law: those who collect at that moment fail; what comes afterwards reaches those who come afterwards.

    Raises:
        MessagesLost: always; it carries the gap.

    >>> raise_gap(Gap("orders", 1, "it never came"))
    Traceback (most recent call last):
    flowsock.errors.MessagesLost: 1 message of 'orders' is lost: it never came
    """
    raise MessagesLost(gap)
