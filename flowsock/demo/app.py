"""The app behind ``flowsock demo``: echo, chat and a dashboard of the server itself."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, process_time, time
from typing import Final

import msgspec

from flowsock.channels.capacity import BufferOverflow
from flowsock.demo.readings import memory_mib, rate_of
from flowsock.demo.rooms import OUTBOX, Rooms
from flowsock.flows.builders import combine, interval
from flowsock.flows.state import MutableStateFlow
from flowsock.scopes.restart import Restart
from flowsock.sessions.app import App
from flowsock.sessions.session import Session

_PAGE: Final = Path(__file__).parent / "page"
_PERIOD: Final = 0.25
_REFUSED: Final = 4000
_LONGEST_NAME: Final = 32
_LONGEST_ROOM: Final = 40


class Gauges(msgspec.Struct):
    """What the dashboard shows: percent of one core, MiB, open sessions, messages a second both ways, seconds."""

    at: float
    cpu: float
    memory: float
    sessions: int
    messages: float
    uptime: float


app = App()
started = monotonic()
rooms = Rooms()
gauges = MutableStateFlow(Gauges(time(), 0.0, 0.0, 0, 0.0, 0.0))


@app.get("/")
def page() -> Path:
    """Give the page."""
    return _PAGE / "index.html"


@app.get("/style.css")
def style() -> Path:
    """Give its style."""
    return _PAGE / "style.css"


@app.get("/app.js")
def script() -> Path:
    """Give its script."""
    return _PAGE / "app.js"


@app.websocket("/echo")
async def echo(session: Session[str, str]) -> None:
    """Send every text back, until it is "bye"."""
    await session.send("Connection established")
    await session.incoming.take_while(lambda text: text.lower() != "bye").map("You said: {}".format).collect(session.send)
    await session.close(message="Bye")


@app.websocket("/chat/{room}", max_message_size=8192)
async def chat(session: Session[str, str], room: str) -> None:
    """Let a member talk with the others in a room."""
    name = session.request.query.get("name", "").strip()
    here = rooms[room]
    refusal = _refusal(room, name, here.members)
    if refusal is not None:
        rooms.tidy(room)
        await session.close(_REFUSED, refusal)
        return
    await here.join(name)
    try:
        outbox = here.messages_for(name).buffer(OUTBOX, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
        outbox.on_each(session.send).launch_in(session.scope)
        await session.incoming.collect(lambda text: here.say(name, text))
    finally:
        await here.leave(name)
        rooms.tidy(room)


def _refusal(room: str, name: str, members: list[str]) -> str | None:
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        return f"a name has 1 to {_LONGEST_NAME} printable characters"
    if len(room) > _LONGEST_ROOM:
        return f"a room's name has at most {_LONGEST_ROOM} characters"
    if name in members:
        return f"somebody called {name} is in this room already"
    return None


@app.background(restart=Restart())
async def measure() -> None:
    """Keep the gauges up to date."""
    cpu_load = rate_of(process_time)
    message_rate = rate_of(lambda: app.statistics().messages_received + app.statistics().messages_sent)
    cpu = interval(_PERIOD).map(lambda _tick: 100 * cpu_load())
    memory = interval(_PERIOD).map(lambda _tick: memory_mib())
    sessions = interval(_PERIOD).map(lambda _tick: app.statistics().sessions).distinct_until_changed()
    messages = interval(_PERIOD).map(lambda _tick: message_rate())
    await combine(cpu, memory, sessions, messages, _gauges).sample(_PERIOD).collect(gauges.emit)


def _gauges(cpu: float, memory: float, sessions: int, messages: float) -> Gauges:
    return Gauges(time(), round(cpu, 1), round(memory, 1), sessions, round(messages, 1), round(monotonic() - started, 1))


@app.websocket("/dashboard")
async def dashboard(session: Session[str, str]) -> None:
    """Push the gauges; somebody who reads slowly gets fewer of them, never older ones."""
    await gauges.map(_encode).collect(session.send)


def _encode(now: Gauges) -> str:
    return msgspec.json.encode(now).decode()
