"""Event streams of an app under uvicorn and hypercorn, with our own client at the other end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import App, Backoff, MutableSharedFlow, ServerSentEvent, SharedFlow, events
from tests.sessions.support import BOUND, until

if TYPE_CHECKING:
    from tests.asgi.conftest import Hosting

pytestmark = pytest.mark.anyio


async def test_events_arrive_as_they_happen_and_a_client_that_goes_is_noticed(hosting: Hosting) -> None:
    topic: MutableSharedFlow[ServerSentEvent] = MutableSharedFlow(replay=2)
    app = App()

    @app.sse("/")
    def follow() -> SharedFlow[ServerSentEvent]:
        return topic

    with anyio.fail_after(BOUND):
        async with hosting(app) as address:
            url = f"http://{address}/"
            async with events(url, backoff=Backoff(0)).open() as arriving:
                for number in range(3):
                    await until(lambda: topic.subscription_count.value)
                    await topic.emit(ServerSentEvent(str(number), id=str(number)))
                    assert (await anext(arriving)).data == str(number)
            await until(lambda: not topic.subscription_count.value)
            assert (await events(url, last_event_id="1").first()).data == "2"
            await until(lambda: not app.streams)
