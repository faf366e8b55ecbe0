"""The app behind ``flowsock demo``: echo, chat and a dashboard of the server itself."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from time import monotonic, process_time, time
from typing import Final

from flowsock.channels.capacity import BufferOverflow
from flowsock.demo.notices import Gauges, Members, Notice, Said
from flowsock.demo.readings import memory_mib, rate_of
from flowsock.errors import NameTaken
from flowsock.flows.builders import combine, interval
from flowsock.flows.shared import MutableSharedFlow
from flowsock.flows.state import MutableStateFlow
from flowsock.metrics.metrics import Metrics
from flowsock.rooms.rooms import Rooms
from flowsock.scopes.restart import Restart
from flowsock.sessions.app import App
from flowsock.sessions.session import Session

_PAGE: Final = Path(__file__).parent / "page"
_PERIOD: Final = 0.25
_HISTORY: Final = 20
_OUTBOX: Final = 64
_REFUSED: Final = 4000
_LONGEST_NAME: Final = 32
_LONGEST_ROOM: Final = 40


app = App()
started = monotonic()
rooms = Rooms(lambda _name: MutableSharedFlow[Said](replay=_HISTORY, extra_buffer_capacity=_OUTBOX - _HISTORY))
gauges = MutableStateFlow(Gauges(time(), 0.0, 0.0, 0, 0.0, 0.0))

if find_spec("prometheus_client") is not None:
    from flowsock.metrics.prometheus import metrics_page

    app.get("/metrics")(metrics_page(Metrics(app, flows={"gauges": gauges}, rooms={"chat": rooms})))


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
async def chat(session: Session[str, Notice], room: str) -> None:
    """Let a member talk with the others in a room; the first list of members says that the history is over."""
    name = session.request.query.get("name", "").strip()
    refusal = _refusal(room, name)
    if refusal is not None:
        await session.close(_REFUSED, refusal)
        return
    try:
        with rooms.join(room, name, session, unique=True) as here:
            outbox = here.messages.buffer(_OUTBOX, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
            outbox.on_each(session.send).launch_in(session.scope)
            here.presence.map(_members).on_each(session.send).launch_in(session.scope)
            await session.incoming.map(lambda text: Said(name, text, time())).collect(here.messages.emit)
    except NameTaken:
        await session.close(_REFUSED, f"somebody called {name} is in this room already")


def _refusal(room: str, name: str) -> str | None:
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        return f"a name has 1 to {_LONGEST_NAME} printable characters"
    if len(room) > _LONGEST_ROOM:
        return f"a room's name has at most {_LONGEST_ROOM} characters"
    return None


def _members(names: frozenset[str]) -> Members:
    return Members(sorted(names))


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
async def dashboard(session: Session[str, Gauges]) -> None:
    """Push the gauges; somebody who reads slowly gets fewer of them, never older ones."""
    await gauges.collect(session.send)
