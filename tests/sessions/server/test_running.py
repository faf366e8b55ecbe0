"""`app.run()` as a process of its own."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import App, CloseReason, FlowsockError, connect, serve
from tests.sessions.support import BOUND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio

APP = """
import sys
import time
import flowsock.sessions.server.running
from anyio import sleep_forever
from flowsock import App, Session

app = App()

@app.websocket("/echo")
async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)

@app.websocket("/sleep")
async def sleep(session: Session) -> None:
    try:
        await sleep_forever()
    finally:
        print("cleaned up", file=sys.stderr, flush=True)

@app.websocket("/stubborn")
async def stubborn(session: Session) -> None:
    while True:
        try:
            await sleep_forever()
        except BaseException:
            pass

@app.websocket("/blocking")
async def blocking(session: Session) -> None:
    try:
        await sleep_forever()
    finally:
        time.sleep(60)

flowsock.sessions.server.running._GRACE = 0.3
flowsock.sessions.server.server.STUBBORN = 0.1
app.run(port=int(sys.argv[1]), drain_timeout=float(sys.argv[2]))
"""


class Process:
    """An app in a process of its own, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    async def says(self, pattern: str) -> re.Match[str]:
        """Read lines until one matches."""
        assert self._process.stderr is not None
        with anyio.fail_after(2 * BOUND):
            while line := (await self._process.stderr.readline()).decode().rstrip():
                self.lines.append(line)
                if match := re.search(pattern, line):
                    return match
        raise AssertionError(f"{pattern!r} was not said: {self.lines}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self) -> int:
        """Wait for the exit, and give its status."""
        assert self._process.stderr is not None
        with anyio.fail_after(BOUND):
            self.lines.extend((await self._process.stderr.read()).decode().splitlines())
            return await self._process.wait()


@asynccontextmanager
async def running(*, port: int = 0, drain_timeout: float = 30) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", APP, str(port), str(drain_timeout), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_closes_sessions_with_1001_and_exits_with_0_saying_so(number: signal.Signals) -> None:
    async with running() as process:
        url = (await process.says(r"serving on http://(\S+) \(Ctrl-C stops\)"))[1]
        async with connect(f"ws://{url}/echo") as session:
            await session.send("hi")
            assert await session.incoming.first() == "hi"
            process.signal(number)
            assert await session.incoming.to_list() == []
            assert session.close_reason == CloseReason(1001)
        assert await process.end() == 0
    assert process.lines[1:] == [
        "flowsock: stopping: 1 session open, waiting 30 s at most (Ctrl-C again stops at once)",
        "flowsock: stopped",
    ]


async def test_70_a_second_signal_stops_at_once() -> None:
    async with running() as process:
        url = (await process.says(r"serving on http://(\S+)"))[1]
        async with connect(f"ws://{url}/sleep") as session:
            process.signal(signal.SIGINT)
            await process.says("stopping: 1 session open")
            assert await session.incoming.to_list() == []
            process.signal(signal.SIGINT)
            assert await process.end() == 0
    assert process.lines[-3:] == ["flowsock: stopping at once", "cleaned up", "flowsock: stopped"]


async def test_a_handler_that_does_not_end_is_cancelled_after_the_drain_timeout() -> None:
    async with running(drain_timeout=0.1) as process:
        url = (await process.says(r"serving on http://(\S+)"))[1]
        async with connect(f"ws://{url}/sleep"):
            process.signal(signal.SIGTERM)
            assert await process.end() == 0
    assert process.lines[-2:] == ["cleaned up", "flowsock: stopped"]


@pytest.mark.parametrize("path", ["/stubborn", "/blocking"])
async def test_60_a_handler_that_does_not_end_does_not_keep_the_process(path: str) -> None:
    async with running(drain_timeout=0.1) as process:
        url = (await process.says(r"serving on http://(\S+)"))[1]
        async with connect(f"ws://{url}{path}", close_timeout=0.1) as session:
            process.signal(signal.SIGTERM)
            await session.incoming.to_list()
        assert await process.end() == 1
    assert process.lines[-1] == "flowsock: a handler does not end: leaving without it"
    reports = [line for line in process.lines if "was cancelled" in line]
    if path == "/stubborn":
        assert reports == ["the handler of '/stubborn' was cancelled 0.1 s ago and has not ended"]


async def test_a_port_in_use_exits_with_1_and_one_line() -> None:
    async with serve(App(), port=0) as server, running(port=server.port) as process:
        assert await process.end() == 1
    (line,) = process.lines
    assert line.startswith(f"flowsock: cannot listen on 127.0.0.1:{server.port}: ")
    assert "in use" in line


async def test_run_inside_a_running_loop_gives_advice() -> None:
    with pytest.raises(FlowsockError, match=r"async with serve\(app\)"):
        App().run(port=0)
