"""`flowsock serve --workers`: several processes, and the one that looks after them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import SessionAborted, connect
from tests.sessions.lines import SocketLine
from tests.sessions.support import BOUND, Peer, opening, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

APP = """
import os
from flowsock import App, Session

app = App()
broken = None

@app.websocket("/pid")
async def pid(session: Session[str, str]) -> None:
    await session.send(str(os.getpid()))
    await session.incoming.collect(session.send)

@app.websocket("/die")
async def die(session: Session[str, str]) -> None:
    os._exit(3)
"""


class Supervisor:
    """The process that looks after the workers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = ""

    def says(self, pattern: str) -> re.Match[str]:
        """Read lines until one matches; the timeout of the test is the bound."""
        assert self.process.stderr is not None
        lines: list[str] = []
        for line in self.process.stderr:
            lines.append(line)
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"{pattern!r} was not said: {lines}")

    async def end(self) -> int:
        with anyio.fail_after(4 * BOUND):
            while self.process.poll() is None:  # noqa: ASYNC110 there is no event to wait for
                await anyio.sleep(0.02)
        return self.process.returncode

    async def pid(self) -> int:
        """Ask a worker, whichever it is, for its process."""
        async with connect[str, str](f"ws://{self.url}/pid") as session:
            return int(await session.incoming.first())

    async def pids(self, count: int) -> set[int]:
        """Ask until so many workers have answered."""
        found: set[int] = set()
        with anyio.fail_after(4 * BOUND):
            while len(found) < count:
                found.add(await self.pid())
        return found


@contextmanager
def supervising(folder: Path, *arguments: str, app: str = "mine:app") -> Iterator[Supervisor]:
    (folder / "mine.py").write_text(APP)
    command = [sys.executable, "-W", "error", "-m", "flowsock", "serve", app, "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        supervisor = Supervisor(process)
        try:
            yield supervisor
        finally:
            process.kill()


def is_running(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


async def test_connections_are_shared_out_and_a_signal_ends_all_gracefully(tmp_path: Path) -> None:
    with supervising(tmp_path, "--workers", "2") as supervisor:
        supervisor.url = supervisor.says(r"serving on http://(\S+) with 2 workers \(Ctrl-C stops\)")[1]
        pids = await supervisor.pids(2)
        assert supervisor.process.pid not in pids
        async with connect[str, str](f"ws://{supervisor.url}/pid") as session:
            await session.incoming.first()
            supervisor.process.send_signal(signal.SIGTERM)
            assert await session.incoming.to_list() == []
            assert session.close_reason is not None
            assert session.close_reason.code == 1001
        assert await supervisor.end() == 0
        supervisor.says("stopping the workers, waiting 30 s at most")
        supervisor.says("flowsock: stopped")
        assert not any(map(is_running, pids))


async def test_a_worker_that_dies_is_replaced_and_the_others_serve_on(tmp_path: Path) -> None:
    with supervising(tmp_path, "--workers", "2") as supervisor:
        supervisor.url = supervisor.says(r"serving on http://(\S+) with")[1]
        before = await supervisor.pids(2)
        with pytest.raises(SessionAborted, match="1006"):
            async with connect(f"ws://{supervisor.url}/die") as session:
                await session.incoming.to_list()
        supervisor.says(r"worker [12] ended with status 3, starting another")
        await until(lambda: sum(map(is_running, before)) == 1)
        after = await supervisor.pids(2)
        assert len(before & after) == 1


async def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with supervising(tmp_path, "--workers", "2") as supervisor:
        supervisor.url = supervisor.says(r"serving on http://(\S+) with")[1]
        pids = await supervisor.pids(2)
        supervisor.process.kill()
        await until(lambda: not any(map(is_running, pids)))


async def test_an_app_that_cannot_be_imported_is_told_once_and_ends_all(tmp_path: Path) -> None:
    with supervising(tmp_path, "--workers", "2", app="mine:broken") as supervisor:
        supervisor.says("'mine:broken' is nothing, not a flowsock.App")
        assert await supervisor.end() == 1


async def test_a_unix_socket_is_shared_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with supervising(tmp_path, "--workers", "2", "--uds", str(path)) as supervisor:
        supervisor.says(r"serving on http\+unix://\S+app\.sock with 2 workers")
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))
            peer = Peer(SocketLine(line))
            await peer.send(opening("/pid"))
            await peer.head()
            assert int((await peer.frame()).payload) != supervisor.process.pid
        supervisor.process.send_signal(signal.SIGINT)
        assert await supervisor.end() == 0
    assert not path.exists()


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with supervising(tmp_path, "--workers", "2", "--port", port) as supervisor:
            supervisor.says(f"flowsock: cannot listen on 127.0.0.1:{port}: .*in use")
            assert await supervisor.end() == 1
