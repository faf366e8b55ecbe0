"""Sessions under asyncio's and uvloop's own runners: nothing needs ``anyio.run``, even where sniffio is installed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from flowsock import App, Session, connect, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

app = App()


@app.websocket("/upper")
async def upper(session: Session[str, str]) -> None:
    async def answer(text: str) -> None:
        await session.send(text.upper())

    # A job that is launched from a synchronous stage, so from the callback of the socket, in no task.
    await session.incoming.collect(lambda text: session.scope.launch(answer, text).is_active)


async def ask_once() -> str:
    async with serve(app, port=0) as server, connect[str, str](f"ws://127.0.0.1:{server.port}/upper") as session:
        await session.send("hello")
        return await session.incoming.first()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_sessions_run_under(run: Callable[[Coroutine[Any, Any, str]], str]) -> None:
    assert run(asyncio.wait_for(ask_once(), 10)) == "HELLO"
