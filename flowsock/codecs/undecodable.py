"""A message that could not be decoded, as a value."""

from __future__ import annotations

from attrs import frozen

from flowsock.wire.close import CloseCode


@frozen
class Undecodable:
    """Hold what the peer sent, where it is no message of the session's type.

    A handler that names it in its annotation, ``Session[Say | Undecodable, Said]``, gets it in its place among the messages,
    and the session goes on. Otherwise ``on_undecodable`` gets it, or the session ends.

    Attributes:
        data: What was sent.
        why: What is wrong with it; for logs, not for the peer.
        code: The close code that fits: 1003 for the wrong kind of frame, otherwise 1007.

    >>> app = App()
    >>> @app.websocket("/")
    ... async def double(session: Session[int | Undecodable, int | str]) -> None:
    ...     async for number in session.incoming:
    ...         await session.send("a number, please" if isinstance(number, Undecodable) else 2 * number)
    >>> async with testing.connect(app) as session:
    ...     await session.send("twenty-one")
    ...     await session.send("21")
    ...     await session.incoming.take(2).to_list()
    ['"a number, please"', '42']
    """

    data: str | bytes
    why: str
    code: CloseCode = CloseCode.NOT_CONSISTENT
