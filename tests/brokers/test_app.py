"""An app whose topics go through a broker: one process, several, and several as `flowsock serve` starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import App, BrokerConnected, BufferOverflow, Session, connect, serve
from tests.brokers.servers import quick
from tests.sessions.support import until
from tests.test_workers import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.brokers.servers import BrokerPlace

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

BOUND = 20.0

CHAT = """
import os
from flowsock import App, Backoff, Broker, BufferOverflow, Session

app = App(broker=Broker(backoff=Backoff(0.05, maximum=0.2), timeout=2))
messages = app.topic("chat", str, replay=20)


@app.websocket("/chat")
async def chat(session: Session[str, str]) -> None:
    outbox = messages.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
    outbox.on_each(session.send).launch_in(session.scope)
    await session.incoming.collect(messages.emit)


@app.websocket("/pid")
async def pid(session: Session[str, str]) -> None:
    await session.send(str(os.getpid()))
"""


def chat(url: str) -> App:
    """Make the chat of the README, on a broker."""
    from flowsock import Broker

    app = App(broker=Broker(url, **quick()))
    messages = app.topic("chat", str, replay=20)

    @app.websocket("/chat")
    async def join(session: Session[str, str]) -> None:
        outbox = messages.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
        outbox.on_each(session.send).launch_in(session.scope)
        await session.incoming.collect(messages.emit)

    return app


async def test_a_chat_spans_the_servers_of_a_broker(place: BrokerPlace) -> None:
    apps = [chat(place.url) for _ in range(1 if place.server is None else 2)]
    async with AsyncExitStack() as stack:
        ports = [(await stack.enter_async_context(serve(app, port=0))).port for app in apps]
        assert all(app.broker.state.value == BrokerConnected() for app in apps)
        members = [
            await stack.enter_async_context(connect[str, str](f"ws://127.0.0.1:{port}/chat")) for port in (ports[0], ports[-1])
        ]
        with anyio.fail_after(BOUND):
            for app in apps:
                wanted = 3 - len(apps)
                await app.topic("chat", str, replay=20).subscription_count.first(lambda n, wanted=wanted: n == wanted)  # type: ignore[misc]
            await members[0].send("hello")
            assert [await member.incoming.first() for member in members] == ["hello", "hello"]
            await members[1].send("hi")
            assert [await member.incoming.first() for member in members] == ["hi", "hi"]


async def test_the_environment_tells_an_app_its_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWSOCK_BROKER", "redis://127.0.0.1:1")
    assert App().broker.guarantee == "at most once"
    assert App(broker="memory://").broker.guarantee == "within this process"
    monkeypatch.delenv("FLOWSOCK_BROKER")
    assert App().broker.guarantee == "within this process"


async def test_a_server_starts_without_its_broker(own_place: BrokerPlace) -> None:
    assert own_place.server is not None
    own_place.server.kill()
    app = chat(own_place.url)
    async with serve(app, port=0) as server, connect[str, str](f"ws://127.0.0.1:{server.port}/chat") as member:
        await member.send("hello")
        own_place.server.start()
        with anyio.fail_after(BOUND):
            assert await member.incoming.first() == "hello"


async def test_a_host_without_a_lifespan_is_told_once_that_topics_are_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    app = App(broker="redis://127.0.0.1:1")
    app.expect_running()
    app.expect_running()
    assert [record.message[:36] for record in caplog.records] == ["the topics of an app are cut off, be"]
    App().expect_running()
    assert len(caplog.records) == 1


@contextmanager
def serving(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Supervisor]:
    (folder / "chat.py").write_text(CHAT)
    command = [sys.executable, "-W", "error", "-m", "flowsock", "serve", "chat:app", "--port", "0", *arguments]
    surroundings = {**os.environ, **(environment or {})}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=surroundings) as process:
        try:
            yield Supervisor(process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            finally:
                process.kill()


def test_a_broker_that_there_is_not_is_said_in_one_line(tmp_path: Path) -> None:
    with serving(tmp_path, "--broker", "kafka://localhost") as supervisor:
        supervisor.says(r"flowsock: there is no broker kafka://: there are memory://")
        assert supervisor.process.wait(10) == 1


class Members:
    """People in a chat, who keep what they hear."""

    def __init__(self, url: str, stack: AsyncExitStack, group: Any) -> None:
        self.url = url
        self.heard: list[list[str]] = []
        self.sessions: list[Session[str, str]] = []
        self._stack = stack
        self._group = group

    async def join(self, count: int) -> None:
        for _ in range(count):
            session = await self._stack.enter_async_context(connect[str, str](f"ws://{self.url}/chat"))
            heard: list[str] = []
            self.heard.append(heard)
            self.sessions.append(session)
            self._group.start_soon(self._listen, session, heard)

    async def _listen(self, session: Session[str, str], heard: list[str]) -> None:
        from flowsock import SessionAborted

        try:
            await session.incoming.collect(heard.append)
        except SessionAborted:
            heard.append("lost")

    async def all_hear(self, text: str) -> None:
        with anyio.fail_after(BOUND):
            while not all(text in heard or "lost" in heard for heard in self.heard):  # noqa: ASYNC110
                await anyio.sleep(0.02)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_chat_of_four_workers_survives_a_killed_worker_and_a_restarted_broker(
    own_place: BrokerPlace, tmp_path: Path
) -> None:
    assert own_place.server is not None
    with serving(tmp_path, "--workers", "4", "--broker", own_place.url) as supervisor:
        supervisor.url = supervisor.says(r"serving on http://(\S+) with 4 workers")[1]
        pids = await supervisor.pids(4)
        async with anyio.create_task_group() as group, AsyncExitStack() as stack:
            members = Members(supervisor.url, stack, group)
            await members.join(16)
            await anyio.sleep(0.2)
            await members.sessions[0].send("hello")
            await members.all_hear("hello")

            os.kill(min(pids), signal.SIGKILL)
            supervisor.says(r"worker \d ended with status -9, starting another")
            await supervisor.pids(4)
            await until(lambda: supervisor.process.poll() is None)
            alive = next(n for n, heard in enumerate(members.heard) if "lost" not in heard)
            await members.sessions[alive].send("one worker less")
            await members.all_hear("one worker less")

            own_place.server.kill()
            await members.sessions[alive].send("while the broker is down")
            await anyio.sleep(0.3)
            own_place.server.start()
            if own_place.keeps:
                await members.all_hear("while the broker is down")
            with anyio.fail_after(BOUND):
                while not all(heard[-1] in ("after", "lost") for heard in members.heard):
                    await members.sessions[alive].send("after")
                    await anyio.sleep(0.2)

            stayed = [heard for heard in members.heard if "lost" not in heard]
            assert len(stayed) >= 2
            for heard in stayed:
                before = [text for text in heard if text != "after"]
                wanted = ["hello", "one worker less", "while the broker is down"]
                assert before == (wanted if own_place.keeps else [text for text in wanted if text in before])
                assert before[:2] == wanted[:2]
            group.cancel_scope.cancel()
