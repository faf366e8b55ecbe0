"""A client as a flow: it connects when collected, reconnects when the connection is lost, and cleans up by itself.

Run examples/chat.py, then this.
"""

import sys
from collections.abc import AsyncIterator

import anyio

from flowsock import Backoff, SessionAborted, connect, flow


@flow
async def said_in(url: str, greeting: str) -> AsyncIterator[str]:
    async with connect[str, str](url) as session:
        await session.send(greeting)
        async for text in session.incoming:
            yield text


async def main(url: str) -> None:
    feed = said_in(url, "hello, I only listen").retry(OSError, SessionAborted, attempts=5, backoff=Backoff(0.5))
    await feed.take(3).collect(print)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8000/chat/lobby?name=reader")
