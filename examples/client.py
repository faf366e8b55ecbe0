"""A client that comes back: it says hello on every connection, and what it hears is one flow over all of them.

Run examples/chat.py, then this; stop the chat and start it again.
"""

import sys

import anyio

from flowsock import Backoff, Session, Waiting, coroutine_scope, reconnecting


async def greet(session: Session[str, str]) -> None:
    await session.send("hello, I only listen")


def report(state: object) -> None:
    if isinstance(state, Waiting):
        print(f"{state.error}; again in {state.seconds:.1f} s", file=sys.stderr)


async def main(url: str, attempts: int = 5) -> None:
    async with coroutine_scope() as scope:
        async with reconnecting[str, str](url, setup=greet, backoff=Backoff(0.5), attempts=attempts) as link:
            link.state.on_each(report).launch_in(scope)
            await link.incoming.take(3).collect(print)
        scope.cancel()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8000/chat/lobby?name=reader")
