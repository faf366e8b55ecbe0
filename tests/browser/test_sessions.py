"""Sessions with real browsers: a page that talks to the server by itself, and reports what it saw."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, fail_after

from flowsock import App, CloseReason, Response, Session, SessionAborted, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = """<!doctype html><title>flowsock</title><script>
const open = (path, protocols) => new Promise((resolve, reject) => {
  const socket = new WebSocket(`ws://${location.host}${path}`, protocols)
  socket.binaryType = "arraybuffer"
  socket.received = []
  socket.onopen = () => resolve(socket)
  socket.onerror = () => reject(new Error(`no session at ${path}`))
  socket.closed = new Promise(done => socket.onclose = event => done([event.code, event.reason, event.wasClean]))
  socket.onmessage = event => { socket.received.push(event.data); socket.wake && socket.wake() }
})
const reply = async socket => {
  while (!socket.received.length) await new Promise(wake => socket.wake = wake)
  return socket.received.shift()
}
const talk = async () => {
  const echo = await open("/echo", ["unknown", "second", "first"])
  const texts = ["", "hello", "grüß dich 🦆", "x".repeat(100_000), "flow ".repeat(40_000)]
  const bytes = new Uint8Array(70_000).map((_, index) => index * 31)
  const same = []
  for (const text of texts) { echo.send(text); same.push(await reply(echo) === text) }
  echo.send(bytes)
  const back = new Uint8Array(await reply(echo))
  same.push(back.length === bytes.length && back.every((byte, index) => byte === bytes[index]))
  echo.close(4000, "enough")
  const bye = await open("/bye")
  bye.send("say goodbye")
  const refused = await open("/refused").then(() => "opened", error => error.message)
  return {protocol: echo.protocol, extensions: echo.extensions, same, own: await echo.closed, theirs: await bye.closed, refused}
}
(async () => {
  const seen = await talk().catch(error => ({error: String(error)}))
  const report = await open("/report")
  report.send(JSON.stringify({...seen, agent: navigator.userAgent}))
  document.title = "done"
})()
</script>"""

FLAGS = {
    "chromium": [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--remote-debugging-port=0",
    ],
    "firefox-esr": ["--headless", "--no-remote", "--new-instance"],
}

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


def command(browser: str, profile: Path, url: str) -> list[str]:
    path = shutil.which(browser) or (shutil.which("firefox") if browser == "firefox-esr" else None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"there is no {browser} on this machine")
        pytest.skip(f"there is no {browser} on this machine")
    profile_flags = [f"--user-data-dir={profile}"] if browser == "chromium" else ["--profile", str(profile)]
    return [path, *FLAGS[browser], *profile_flags, url]


@contextmanager
def running(arguments: list[str], home: Path) -> Iterator[None]:
    environment = {**os.environ, "HOME": str(home)}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def talkative_app(*, deflate: bool, reported: Event, report: dict[str, Any], ended: list[object]) -> App:
    app = App()

    @app.get("/", media_type="text/html")
    def page() -> str:
        return PAGE

    @app.websocket("/echo", deflate=deflate, subprotocols=["first", "second"])
    async def echo(session: Session) -> None:
        try:
            await session.incoming.collect(session.send)
        except SessionAborted as error:
            ended.append((error.reason, session.statistics().deflate is not None))

    @app.websocket("/bye")
    async def bye(session: Session) -> None:
        await session.incoming.first()
        await session.close(3001, "goodbye")

    @app.get("/refused")
    def refused() -> Response:
        return Response(403, body=b"not for you")

    @app.websocket("/report")
    async def take(session: Session[str, str]) -> None:
        report.update(json.loads(await session.incoming.first()))
        reported.set()

    return app


@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("browser", ["chromium", "firefox-esr"])
async def test_a_browser_talks_to_the_server(browser: str, deflate: bool, tmp_path: Path) -> None:
    reported, report, ended = Event(), dict[str, Any](), list[object]()
    app = talkative_app(deflate=deflate, reported=reported, report=report, ended=ended)
    (tmp_path / "profile").mkdir()
    async with serve(app, port=0, drain_timeout=1) as server:
        with running(command(browser, tmp_path / "profile", server.url), tmp_path), fail_after(90):
            await reported.wait()
    assert "error" not in report, report
    assert ("Firefox" if browser == "firefox-esr" else "Chrome") in report.pop("agent")
    assert report.pop("extensions").startswith("permessage-deflate") is deflate
    assert report == {
        "protocol": "first",
        "same": [True] * 6,
        "own": [4000, "enough", True],
        "theirs": [3001, "goodbye", True],
        "refused": "no session at /refused",
    }
    assert ended == [(CloseReason(4000, "enough"), deflate)]
