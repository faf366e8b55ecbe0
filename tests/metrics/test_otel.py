"""Instruments and spans, as an exporter gets them."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from flowsock import App, MutableSharedFlow, Session, connect, serve
from flowsock.metrics import Metrics
from flowsock.metrics.otel import observe_metrics
from flowsock.metrics.tracing import SessionTracing
from tests.sessions.support import until

pytestmark = pytest.mark.anyio


def an_app() -> App:
    app = App()

    @app.websocket("/echo")
    async def echo(session: Session) -> None:
        await session.incoming.collect(session.send)

    @app.websocket("/broken")
    async def broken(session: Session) -> None:
        raise RuntimeError("secret")

    return app


# Instruments


def exported(reader: InMemoryMetricReader) -> dict[str, Any]:
    data = reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


async def test_instruments_show_what_is_counted() -> None:
    reads = 0

    class Counted(Metrics):
        def read(self) -> Any:
            nonlocal reads
            reads += 1
            return super().read()

    app = an_app()
    reader = InMemoryMetricReader()
    chat: MutableSharedFlow[str] = MutableSharedFlow()
    observe_metrics(Counted(app, flows={"chat": chat}), MeterProvider([reader]).get_meter("test"))
    reads = 0
    async with serve(app, port=0) as server:
        async with connect(f"ws://127.0.0.1:{server.port}/echo") as session:
            await session.send("hello")
            await session.incoming.first()
            chat.emit_nowait("a")
        await until(lambda: not app.sessions)
        metrics = exported(reader)
    assert reads == 1, "once for all instruments"
    (sent,) = metrics["flowsock.messages.sent"].data.data_points
    assert sent.value == 1
    assert metrics["flowsock.messages.sent"].data.is_monotonic
    assert not metrics["flowsock.sessions.open"].data.is_monotonic
    assert metrics["flowsock.wire.sent"].unit == "By"
    (closed,) = metrics["flowsock.sessions.closed"].data.data_points
    assert (closed.value, dict(closed.attributes)) == (1, {"code": "1000"})
    (emitted,) = metrics["flowsock.flow.emitted"].data.data_points
    assert (emitted.value, dict(emitted.attributes)) == (1, {"flow": "chat"})
    assert "flowsock.ping.round_trip" not in metrics, "there was no ping"


# Spans


class Traced:
    """An app whose spans are kept."""

    def __init__(self, **settings: Any) -> None:
        self.app = an_app()
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(**settings)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = SessionTracing(self.app, tracer=provider.get_tracer("test"), period=0.05)

    @property
    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())

    def has(self, name: str, count: int) -> bool:
        return len(self.named(name)) == count

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


async def test_a_session_is_short_spans_with_links() -> None:
    traced = Traced()
    async with serve(traced.app, port=0) as server:
        async with connect(f"ws://127.0.0.1:{server.port}/echo?token=secret") as session:
            (opening,) = traced.spans
            for count in (1, 2):
                await session.send("hello")
                await session.incoming.first()
                await until(partial(traced.has, "websocket messages", count))
            await anyio.sleep(0.15)
            assert len(traced.spans) == 3, "where nothing passes, there is no span"
            (open_session,) = traced.app.sessions
            link = traced.tracing.link(open_session)
            assert link is not None
            assert link.context.span_id == opening.context.span_id
            await session.send("last")
            await session.incoming.first()
        await until(lambda: traced.named("websocket close"))
        assert traced.tracing.link(open_session) is None
    assert opening.name == "websocket open"
    assert opening.kind is SpanKind.SERVER
    assert opening.attributes["url.path"] == "/echo"
    assert not any("secret" in str(value) for span in traced.spans for value in span.attributes.values())
    messages = traced.named("websocket messages")
    assert sum(span.attributes["flowsock.messages_received"] for span in messages) == 3
    (closing,) = traced.named("websocket close")
    assert closing.attributes["flowsock.close_code"] == 1000
    assert closing.attributes["flowsock.messages_sent"] == 3
    assert closing.status.status_code is StatusCode.UNSET
    for span in (*messages, closing):
        assert span.parent is None
        assert [link.context.span_id for link in span.links] == [opening.context.span_id]
        assert span.context.trace_id != opening.context.trace_id


async def test_the_opening_belongs_to_the_clients_trace() -> None:
    traced = Traced()
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    async with serve(traced.app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}/echo", headers=headers):
        (opening,) = traced.spans
    assert f"{opening.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{opening.parent.span_id:016x}" == "b7ad6b7169203331"


async def test_a_session_that_fails_is_an_error() -> None:
    traced = Traced()
    async with serve(traced.app, port=0) as server:
        with pytest.raises(Exception, match="1011"):
            async with connect(f"ws://127.0.0.1:{server.port}/broken") as session:
                await session.incoming.collect()
        await until(lambda: traced.named("websocket close"))
    (closing,) = traced.named("websocket close")
    assert closing.attributes["flowsock.close_code"] == 1011
    assert closing.status.status_code is StatusCode.ERROR


async def test_sessions_that_are_not_sampled_are_not_looked_at() -> None:
    traced = Traced(sampler=ALWAYS_OFF)
    async with serve(traced.app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}/echo"):
        (session,) = traced.app.sessions
        assert traced.tracing.link(session) is None
        await anyio.sleep(0.1)
    assert traced.spans == []


def test_a_period_is_above_0() -> None:
    with pytest.raises(ValueError, match="above 0"):
        SessionTracing(App(), period=0)
