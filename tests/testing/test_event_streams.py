"""Event streams of an app without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import App, Backoff, EventStreamRejected, MutableSharedFlow, ServerSentEvent, SharedFlow, coroutine_scope
from flowsock.testing import Line, event_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

pytestmark = pytest.mark.anyio


@pytest.mark.usefixtures("virtual_clock")
async def test_hours_pass_at_once() -> None:
    app = App()

    @app.sse("/")
    async def tick() -> AsyncIterator[int]:
        for number in range(3):
            await anyio.sleep(3600)
            yield number

    assert await event_stream(app).map(lambda event: event.data).take(3).to_list() == ["0", "1", "2"]


async def test_a_refusal_is_the_apps() -> None:
    with pytest.raises(EventStreamRejected) as caught:
        await event_stream(App(), "/nowhere").to_list()
    assert caught.value.status == 404


async def test_a_line_that_is_cut_is_followed_by_another_and_nothing_is_missed() -> None:
    topic: MutableSharedFlow[ServerSentEvent] = MutableSharedFlow(replay=9)
    app = App()
    lines: list[Line] = []

    @app.sse("/")
    def follow() -> SharedFlow[ServerSentEvent]:
        return topic

    def new_line() -> Line:
        lines.append(Line())
        return lines[-1]

    def cut_at_two(event: ServerSentEvent) -> None:
        if event.id == "2":
            lines[-1].cut()
            topic.emit_nowait(ServerSentEvent("3", id="3"))

    for number in (1, 2):
        topic.emit_nowait(ServerSentEvent(str(number), id=str(number)))
    flow = event_stream(app, line=new_line, backoff=Backoff(0))
    with anyio.fail_after(5):
        got = await flow.on_each(cut_at_two).map(lambda event: event.data).take(3).to_list()
    assert got == ["1", "2", "3"]
    assert len(lines) == 2


async def test_cancelling_the_collector_ends_the_handler() -> None:
    ended: list[bool] = []
    app = App()

    @app.sse("/")
    async def wait() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    async with coroutine_scope() as scope:
        got: list[Any] = []
        event_stream(app).on_each(got.append).launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
    assert len(got) == 1
    assert ended == [True]


def test_arguments_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match="a path begins with"):
        event_stream(App(), "nowhere")
    with pytest.raises(ValueError, match="attempts"):
        event_stream(App(), attempts=0)
