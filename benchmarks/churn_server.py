"""The server of the churn: ``python -m benchmarks.churn_server`` prints its port, and a line of JSON for each line it reads."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import sys

from anyio import sleep_forever

from benchmarks.measuring import run
from flowsock import App, BufferOverflow, MutableSharedFlow, Session, serve

app = App()
said: MutableSharedFlow[str | bytes] = MutableSharedFlow(replay=5, extra_buffer_capacity=64)


@app.websocket("/echo")
async def echo(session: Session) -> None:
    """Send everything back."""
    await session.incoming.collect(session.send)


@app.websocket("/chat")
async def chat(session: Session) -> None:
    """Send everything to everybody."""
    said.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(session.send).launch_in(session.scope)
    await session.incoming.collect(said.emit)


@app.websocket("/sleep")
async def sleep(session: Session) -> None:
    """Never look at the session, nor at a job of its scope."""
    session.scope.launch(sleep_forever)
    await sleep_forever()


@app.websocket("/fail")
async def fail(session: Session) -> None:
    """Fail at the first message."""
    async for message in session.incoming:
        raise ValueError(message)


def count() -> dict[str, int]:
    """Tell what this process holds."""
    gc.collect()
    # What sessions held at the worst moment is otherwise kept by the C library, for the next time.
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
    return {"tasks": len(asyncio.all_tasks()), "sessions": app.statistics().sessions, "objects": len(gc.get_objects())}


async def main() -> None:
    """Serve until standard input ends."""
    logging.getLogger("flowsock").setLevel(logging.CRITICAL)
    ended = asyncio.Event()

    def answer() -> None:
        line = sys.stdin.readline()
        if line:
            sys.stdout.write(f"{json.dumps(count())}\n")
            sys.stdout.flush()
        else:
            ended.set()

    async with serve(app, port=0, handshake_timeout=5, drain_timeout=1) as server:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), answer)
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        await ended.wait()


if __name__ == "__main__":
    run(main)
