"""``python -m tests.brokers.scripted``: 200 members in a chat of four workers; one is killed, and the broker restarts.

For each broker it prints how many deliveries were due, came, did not come, and came twice. Due is what a member whose worker
lived was to hear of what members whose workers lived said.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO

import anyio
from attrs import define, field

from flowsock import Session, SessionAborted, SessionClosed, connect
from tests.brokers.servers import SERVERS, BrokerPlace, broker_place

APP = """
import os
from flowsock import App, Session

app = App()
messages = app.topic("chat", str, extra_buffer_capacity=1000)


@app.websocket("/chat")
async def chat(session: Session[str, str]) -> None:
    await session.send(f"pid {os.getpid()}")
    messages.buffer(100_000).on_each(session.send).launch_in(session.scope)
    await session.incoming.collect(messages.emit)
"""


@define
class Member:
    """Somebody in the chat, and what he said and heard."""

    number: int
    pid: int = 0
    is_lost: bool = False
    said: list[str] = field(factory=list)
    heard: Counter[str] = field(factory=Counter)
    joined: anyio.Event = field(factory=anyio.Event)


class Run:
    """One broker's run."""

    def __init__(self, options: argparse.Namespace, place: BrokerPlace) -> None:
        self.options = options
        self.place = place
        self.members = [Member(n) for n in range(options.members)]
        self.told: list[str] = []
        self.url = ""
        self._speaking = True
        self._serving = Event()

    def run(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "chat.py").write_text(APP)
            command = [sys.executable, "-m", "flowsock", "serve", "chat:app", "--port", "0", "--drain-timeout", "2"]
            command += ["--workers", str(self.options.workers), "--broker", self.place.url]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
                assert process.stderr is not None
                reader = Thread(target=self._read, args=(process.stderr,))
                reader.start()
                try:
                    self._serving.wait()
                    anyio.run(self._chat)
                finally:
                    process.send_signal(signal.SIGTERM)
                    reader.join()

    def _read(self, stderr: IO[str]) -> None:
        for line in stderr:
            if found := re.search(r"serving on http://(\S+) with", line):
                self.url = found[1]
                self._serving.set()
            if re.match(r"(\d+ )?messages? of ", line):
                self.told.append(line)
        self._serving.set()

    async def _chat(self) -> None:
        async with anyio.create_task_group() as group:
            await self._play(group)
            group.cancel_scope.cancel()

    async def _play(self, group: anyio.abc.TaskGroup) -> None:
        for member in self.members:
            group.start_soon(self._take_part, member)
        for member in self.members:
            await member.joined.wait()
        await anyio.sleep(3)
        os.kill(self.members[0].pid, signal.SIGKILL)
        await anyio.sleep(3)
        server = self.place.server
        if server is not None:
            server.kill()
            await anyio.sleep(self.options.down)
            await anyio.to_thread.run_sync(server.start)
        await anyio.sleep(4)
        self._speaking = False
        await self._wait_quiet()

    async def _wait_quiet(self) -> None:
        before = -1
        while (now := sum(member.heard.total() for member in self.members)) != before:
            before = now
            await anyio.sleep(3)

    async def _take_part(self, member: Member) -> None:
        with suppress(SessionClosed):
            async with connect[str, str](f"ws://{self.url}/chat", open_timeout=60) as session:
                member.pid = int((await session.incoming.first()).removeprefix("pid "))
                member.joined.set()
                async with anyio.create_task_group() as group:
                    if member.number % (self.options.members // self.options.speakers) == 1:
                        group.start_soon(self._speak, member, session)
                    try:
                        await session.incoming.collect(lambda text: member.heard.update((text,)))
                    except SessionAborted:
                        member.is_lost = True
                    group.cancel_scope.cancel()

    async def _speak(self, member: Member, session: Session[str, str]) -> None:
        for everyone in self.members:
            await everyone.joined.wait()
        await anyio.sleep(0.5)
        while self._speaking:
            text = f"{member.number} says {len(member.said)}"
            member.said.append(text)
            with suppress(SessionClosed):
                await session.send(text)
            await anyio.sleep(1 / self.options.rate)

    def row(self) -> str:
        stayed = [member for member in self.members if not member.is_lost]
        said = [text for member in stayed for text in member.said]
        came = sum(text in member.heard for member in stayed for text in said)
        twice = sum(count - 1 for member in stayed for count in member.heard.values())
        due = len(said) * len(stayed)
        cells = [self.place.scheme, len(stayed), len(said), due, came, due - came, twice, len(self.told)]
        return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.brokers.scripted")
    parser.add_argument("brokers", nargs="*", metavar="BROKER", help=f"which (default: all of {', '.join(SERVERS)})")
    parser.add_argument("--members", type=int, default=200, metavar="COUNT")
    parser.add_argument("--speakers", type=int, default=10, metavar="COUNT", help="how many of them speak")
    parser.add_argument("--rate", type=float, default=5, metavar="NUMBER", help="messages a second of each speaker")
    parser.add_argument("--workers", type=int, default=4, metavar="COUNT")
    parser.add_argument("--down", type=float, default=3, metavar="SECONDS", help="how long the broker is away")
    options = parser.parse_args()
    columns = ("broker", "members that stayed", "messages", "deliveries due", "delivered", "lost", "duplicated", "gaps told")
    print(f"| {' | '.join(columns)} |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for scheme in options.brokers or SERVERS:
        with tempfile.TemporaryDirectory() as folder, broker_place(scheme, Path(folder)) as place:
            run = Run(options, place)
            run.run()
            print(run.row(), flush=True)


if __name__ == "__main__":
    main()
