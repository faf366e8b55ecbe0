"""A dashboard feed: sources are combined, thinned out, kept as a state, and pushed to every viewer.

Run it, then: flowsock connect ws://127.0.0.1:8000/dashboard
"""

import os
from time import process_time

import msgspec

from flowsock import App, MutableStateFlow, Session, combine, interval


class Gauge(msgspec.Struct):
    load: float
    cpu_seconds: float
    viewers: int


app = App()
viewers = MutableStateFlow(0)
gauge = MutableStateFlow(Gauge(0.0, 0.0, 0))


@app.background()
async def measure() -> None:
    load = interval(0.1).map(lambda _tick: os.getloadavg()[0])
    cpu = interval(0.1).map(lambda _tick: process_time())
    await combine(load, cpu, viewers, Gauge).sample(0.25).collect(gauge.emit)


@app.websocket("/dashboard")
async def dashboard(session: Session[str, str]) -> None:
    viewers.update(lambda count: count + 1)
    try:
        await gauge.map(lambda now: msgspec.json.encode(now).decode()).collect(session.send)
    finally:
        viewers.update(lambda count: count - 1)


if __name__ == "__main__":
    app.run(port=8000)
