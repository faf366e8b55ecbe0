"""The demo's numbers, as a scraper gets them."""

from __future__ import annotations

import pytest

from flowsock import serve
from flowsock.demo.app import app
from tests.sessions.support import raw_peer, request_head

pytestmark = pytest.mark.anyio


async def test_the_demo_has_a_page_to_scrape() -> None:
    async with serve(app, port=0) as server, raw_peer(server) as peer:
        await peer.send(request_head("GET", "/metrics"))
        page = (await peer.raw_rest()).decode()
    assert page.startswith("HTTP/1.1 200 OK\r\n")
    for line in (
        "flowsock_sessions_open 0.0",
        'flowsock_flow_collectors{flow="gauges"} 0.0',
        'flowsock_rooms_open{rooms="chat"} 0.0',
    ):
        assert f"\n{line}\n" in page
