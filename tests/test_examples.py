"""Every example runs, does what it says, and is short."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from flowsock import App, Frame, Opcode, connect, connect_raw, events, serve
from tests.sessions.asgi.asgi_host import Host
from tests.sessions.support import until

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Sessions need asyncio."""
    return "asyncio"


@contextmanager
def example(name: str) -> Iterator[Any]:
    sys.path.insert(0, str(EXAMPLES))
    try:
        yield import_module(name)
    finally:
        sys.path.remove(str(EXAMPLES))
        sys.modules.pop(name, None)


@contextmanager
def example_app(name: str) -> Iterator[App]:
    with example(name) as module:
        assert isinstance(module.app, App)
        yield module.app


def run_example(name: str, *arguments: str) -> list[str]:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.splitlines()


def test_the_examples_are_these() -> None:
    assert NAMES == [
        "chat",
        "client",
        "dashboard",
        "echo",
        "fastapi_app",
        "live_topic",
        "pipeline",
        "raw_echo",
        "starlette_app",
        "supervisor",
        "typed_chat",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short(name: str) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 60


async def test_echo() -> None:
    with example_app("echo") as app:
        async with serve(app, port=0) as server, connect[str, str](f"ws://127.0.0.1:{server.port}/echo") as session:
            await session.send("hello")
            await session.send("bye")
            assert await session.incoming.to_list() == ["Connection established", "You said: hello"]
            assert str(session.close_reason) == "1000 (NORMAL): Bye"


async def test_raw_echo_gives_fragments_back_and_answers_by_hand() -> None:
    sent = [Frame(Opcode.TEXT, "a", final=False), Frame(Opcode.CONTINUATION, "b"), Frame(Opcode.PING, "?"), Frame.close(1000)]
    with example_app("raw_echo") as app:
        async with serve(app, port=0) as server, connect_raw(f"ws://127.0.0.1:{server.port}/") as session:
            for frame in sent:
                await session.send(frame)
            assert await session.incoming.to_list() == [*sent[:2], Frame(Opcode.PONG, "?"), sent[3]]


async def test_chat_keeps_rooms_apart_and_remembers() -> None:
    with example_app("chat") as app:
        async with serve(app, port=0) as server:
            url = f"ws://127.0.0.1:{server.port}/chat"
            async with connect[str, str](f"{url}/lobby?name=ann") as ann, connect[str, str](f"{url}/hall?name=eve") as eve:
                await ann.send("hi")
                assert await ann.incoming.first() == "ann: hi"
                async with connect[str, str](f"{url}/lobby?name=bob") as bob:
                    assert await bob.incoming.first() == "ann: hi"
                await eve.send("anybody?")
                assert await eve.incoming.first() == "eve: anybody?"


async def test_typed_chat_knows_its_members_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    with example("typed_chat") as module:
        async with serve(module.app, port=0) as server:
            await module.talk(f"ws://127.0.0.1:{server.port}/chat/ann")
            async with connect[str, str](f"ws://127.0.0.1:{server.port}/chat/bob") as bob:
                assert await bob.incoming.take(2).to_list() == [
                    '{"type":"said","who":"ann","text":"hello"}',
                    '{"type":"renamed","was":"ann","name":"somebody else"}',
                ]
    assert capsys.readouterr().out.splitlines() == ["Said(who='ann', text='hello')", "Renamed(was='ann', name='somebody else')"]


async def test_chat_forgets_a_room_nobody_is_in() -> None:
    with example_app("chat") as app:
        rooms = sys.modules["chat"].rooms
        async with serve(app, port=0) as server:
            async with connect[str, str](f"ws://127.0.0.1:{server.port}/chat/lobby") as ann:
                await ann.send("hi")
                await ann.incoming.first()
                assert "lobby" in rooms
            with anyio.fail_after(5):
                while rooms:
                    await anyio.lowlevel.checkpoint()


async def test_dashboard_pushes_real_gauges() -> None:
    with example_app("dashboard") as app:
        async with serve(app, port=0) as server, connect[str, str](f"ws://127.0.0.1:{server.port}/dashboard") as session:
            with anyio.fail_after(10):
                texts = await session.incoming.filter(lambda text: '"viewers":1' in text).take(2).to_list()
    first, second = (msgspec.json.decode(text) for text in texts)
    assert second["cpu_seconds"] >= first["cpu_seconds"] > 0


async def test_client_collects_what_others_say() -> None:
    with example_app("chat") as app:
        async with serve(app, port=0) as server:
            url = f"ws://127.0.0.1:{server.port}/chat/lobby?name=reader"
            with anyio.fail_after(20):
                async with connect[str, str](f"ws://127.0.0.1:{server.port}/chat/lobby?name=ann") as ann:
                    await ann.send("one")
                    await ann.send("two")
                    lines = await anyio.to_thread.run_sync(run_example, "client", url)
    assert lines == ["ann: one", "ann: two", "reader: hello, I only listen"]


async def test_live_topic_is_heard_over_both_protocols_and_gives_what_was_missed() -> None:
    with example_app("live_topic") as app:
        async with serve(app, port=0) as server:
            url = f"http://127.0.0.1:{server.port}/news"
            async with connect[str, str](f"ws://127.0.0.1:{server.port}/news") as ann, events(url).open() as items:
                for text in ("one", "two"):
                    await ann.send(text)
                    assert await ann.incoming.first() == text
                    assert (await anext(items)).data == text
            missed = await events(url, last_event_id="1").take(1).to_list()
    assert [(event.data, event.id) for event in missed] == [("two", "2")]


async def test_fastapi_app_follows_orders_from_everywhere() -> None:
    with example("fastapi_app") as module:
        desk = Host(path="/orders", query_string=b"desk=bar")
        async with desk.open(module.api):
            desk.text('{"kind": "order", "drink": "coffee", "amount": 2}', '{"kind": "cancel", "drink": "coffee"}')
            await until(lambda: len(desk.texts) == 2)
            order = Host("http", "/orders", method="POST", headers=[(b"content-type", b"application/json")])
            order.say({"type": "http.request", "body": b'{"drink": "tea"}'})
            await order.call(module.api)
            await until(lambda: len(desk.texts) == 3)
    assert list(map(msgspec.json.decode, desk.texts)) == [
        {"desk": "bar", "text": "2 coffee"},
        {"desk": "bar", "text": "no coffee"},
        {"desk": "by post", "text": "1 tea"},
    ]
    assert order.sent[-1]["body"] == b'{"desks":1}'


async def test_fastapi_app_refuses_what_is_no_order() -> None:
    with example("fastapi_app") as module:
        desk = Host(path="/orders")
        async with desk.open(module.api):
            desk.text('{"kind": "order", "drink": "coffee", "amount": 0}')
            await until(lambda: desk.sent[-1]["type"] == "websocket.close")
    assert desk.sent[-1]["code"] == 1007


async def test_starlette_app_ticks_below_its_mount() -> None:
    with example("starlette_app") as module:
        viewer = Host(path="/live/ticks")
        async with module.live.lifespan(), viewer.open(module.site):
            await until(lambda: len(viewer.texts) >= 3)
            home = Host("http", "/", method="GET")
            home.say({"type": "http.request", "body": b""})
            await home.call(module.site)
    numbers = [msgspec.json.decode(text)["count"] for text in viewer.texts]
    assert numbers == sorted(numbers)
    assert home.sent[-1]["body"] == b"1 follow, at /live/ticks"


def test_pipeline_prints_the_plausible_changes() -> None:
    *changes, hottest = run_example("pipeline")
    assert hottest == "hottest 35.2"
    assert {line.split()[0] for line in changes} == {"roof", "cellar"}
    assert "roof 35.2" not in changes


def test_supervisor_restarts_one_and_gives_the_other_up() -> None:
    lines = sorted(run_example("supervisor"))
    assert lines == [
        "news: given up after 4 attempts: news: there is no news",
        "prices: attempt 3 worked",
    ]


async def test_client_gives_up_when_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    sys.path.insert(0, str(EXAMPLES))
    try:
        main = import_module("client").main
    finally:
        sys.path.remove(str(EXAMPLES))
    with pytest.raises(OSError, match=re.compile("refused|Connect", re.IGNORECASE)):
        await main("ws://127.0.0.1:1/", attempts=2)
    assert "again in 0." in capsys.readouterr().err
