"""Event streams with the EventSource of real browsers: a page that listens by itself, and reports what it saw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, fail_after

from flowsock import (
    App,
    Flow,
    MutableSharedFlow,
    Request,
    ServerSentComment,
    ServerSentEvent,
    Session,
    SharedFlow,
    flow_of,
    serve,
)
from tests.browser.test_sessions import command, running

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """<!doctype html><title>flowsock</title><script>
const until = condition => new Promise(done => { const look = () => condition() ? done() : setTimeout(look, 10); look() })
const listen = async (path, enough, names = []) => {
  const source = new EventSource(path), seen = []
  const take = event => seen.push([event.type, event.data, event.lastEventId])
  for (const name of ["message", ...names]) source.addEventListener(name, take)
  source.addEventListener("error", () => seen.push(["error", source.readyState]))
  await until(() => enough(seen))
  source.close()
  return seen
}
const talk = async () => ({
  values: await listen("/values", seen => seen.length >= 5, ["tick"]),
  resumed: await listen("/topic", seen => seen.filter(each => each[0] === "message").length >= 4, ["gap"]),
  over: await listen("/over", seen => seen.some(each => each[1] === EventSource.CLOSED)),
});
(async () => {
  const seen = await talk().catch(error => ({error: String(error)}))
  const report = new WebSocket(`ws://${location.host}/report`)
  report.onopen = () => report.send(JSON.stringify({...seen, agent: navigator.userAgent}))
})()
</script>"""

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


class Served:
    """The app, and what became of it."""

    def __init__(self) -> None:
        self.app = App()
        self.report: dict[str, Any] = {}
        self.reported = Event()
        self.resumed: list[str | None] = []
        self.finished = 0
        self.topic: MutableSharedFlow[ServerSentEvent] = MutableSharedFlow(replay=2)
        self.app.get("/", media_type="text/html")(lambda: PAGE)
        self.app.sse("/values")(self.values)
        self.app.sse("/topic", retry=0.05)(self.follow)
        self.app.sse("/over", retry=0.05)(self.over)
        self.app.websocket("/report")(self.take)

    def values(self) -> Flow[Any]:
        return flow_of(
            ServerSentEvent("grüß dich 🦆\nzwei"),
            ServerSentComment("unheard"),
            ServerSentEvent(" x", event="tick", id="7"),
            {"a": [1]},
            ServerSentEvent("", id=""),
        )

    def follow(self, request: Request) -> SharedFlow[ServerSentEvent] | Flow[ServerSentEvent]:
        self.resumed.append(request.last_event_id)
        # The first stream ends after two events, and the page comes back.
        for number in range(2):
            self.topic.emit_nowait(ServerSentEvent(f"v{len(self.resumed)}{number}", id=f"{len(self.resumed)}{number}"))
        return self.topic if len(self.resumed) > 1 else self.topic.take(2)

    def over(self) -> Flow[str] | None:
        self.finished += 1
        return flow_of("once") if self.finished == 1 else None

    async def take(self, session: Session[str, str]) -> None:
        self.report.update(json.loads(await session.incoming.first()))
        self.reported.set()


@pytest.mark.parametrize("browser", ["chromium", "firefox-esr"])
async def test_a_browser_listens(browser: str, tmp_path: Path) -> None:
    served = Served()
    (tmp_path / "profile").mkdir()
    async with serve(served.app, port=0, drain_timeout=1) as server:
        with running(command(browser, tmp_path / "profile", server.url), tmp_path), fail_after(90):
            await served.reported.wait()
    report = served.report
    assert "error" not in report, report
    assert ("Firefox" if browser == "firefox-esr" else "Chrome") in report["agent"]
    assert report["values"][:4] == [
        ["message", "grüß dich 🦆\nzwei", ""],
        ["tick", " x", "7"],
        ["message", '{"a":[1]}', "7"],
        ["message", "", ""],
    ]
    assert served.resumed == [None, "11"]
    # Of the two events since then the replay cache has both, and the last one seen not any more.
    assert report["resumed"] == [
        ["message", "v10", "10"],
        ["message", "v11", "11"],
        ["error", 0],
        ["gap", "11", "11"],
        ["message", "v20", "20"],
        ["message", "v21", "21"],
    ]
    assert report["over"] == [["message", "once", ""], ["error", 0], ["error", 2]]
    assert served.finished == 2
