"""A page to scrape, read as Prometheus reads it."""

from __future__ import annotations

import urllib.request
from typing import Any

import anyio
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from flowsock import App, MutableSharedFlow, Session, connect, serve
from flowsock.metrics import LoopLag, Metrics
from flowsock.metrics.prometheus import MetricsCollector, metrics_page
from tests.sessions.conftest import SOCKETS
from tests.sessions.support import until

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", SOCKETS, indirect=True)]


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return SOCKETS[request.param]


async def scrape(url: str) -> dict[tuple[str, str], float]:
    """Give each number by its name and its label's value."""

    def get() -> tuple[str, str]:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.headers["content-type"], answer.read().decode()

    content_type, text = await anyio.to_thread.run_sync(get)
    assert content_type.startswith("text/plain; version=")
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_page_shows_what_is_counted() -> None:
    app = App()
    chat: MutableSharedFlow[str] = MutableSharedFlow()
    chat.emit_nowait("a")

    @app.websocket("/echo")
    async def echo(session: Session) -> None:
        await session.incoming.collect(session.send)

    lag = LoopLag(period=0.01)
    app.get("/metrics")(metrics_page(Metrics(app, flows={"chat": chat}, lag=lag)))
    async with serve(app, port=0) as server:
        url = f"http://127.0.0.1:{server.port}/metrics"
        async with connect(f"ws://127.0.0.1:{server.port}/echo") as session:
            await session.send("hello")
            await session.incoming.first()
            now = await scrape(url)
            assert now["flowsock_sessions_open", ""] == 1
            assert now["flowsock_messages_sent_total", ""] == 1
            assert now["flowsock_wire_sent_bytes_total", ""] > 5
            assert now["flowsock_flow_emitted_total", "chat"] == 1
            assert now["process_open_fds", ""] > 3
        await until(lambda: not app.sessions and lag.worst is not None)
        then = await scrape(url)
        assert then["flowsock_sessions_open", ""] == 0
        assert then["flowsock_sessions_closed_total", "1000"] == 1
        assert then["flowsock_answers_total", "200"] == 1, "the page before this one"
        assert then["flowsock_event_loop_lag_seconds", ""] >= 0


async def test_your_own_metrics_are_on_the_page_too() -> None:
    registry = CollectorRegistry()
    Counter("orders", "Orders.", registry=registry).inc(3)
    app = App()
    app.get("/metrics")(metrics_page(Metrics(app), registry))
    async with serve(app, port=0) as server:
        now = await scrape(f"http://127.0.0.1:{server.port}/metrics")
    assert now["orders_total", ""] == 3
    assert now["flowsock_sessions_open", ""] == 0


async def test_a_collector_reads_when_it_is_asked_only() -> None:
    app, reads = App(), 0

    class Counted(Metrics):
        def read(self) -> Any:
            nonlocal reads
            reads += 1
            return super().read()

    registry = CollectorRegistry(auto_describe=True)
    registry.register(MetricsCollector(Counted(app)))
    assert reads == 0
    assert registry.get_sample_value("flowsock_sessions_open") == 0
    assert reads == 1
