"""Autobahn's cases, driven by kosoku, against both of our roles: framing, fragments, UTF-8, closing and limits.

Group 9, with messages of up to 16 MiB, is left to ``AUTOBAHN_CASES="*" pytest tests/conformance``; groups 12 and 13 are about
compression, which is not there yet.
"""

from __future__ import annotations

import os
from typing import Any

import kosoku
import pytest

from flowsock import App, Session, SessionClosed, connect, serve

CORE = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)]
CASES = [os.environ["AUTOBAHN_CASES"]] if "AUTOBAHN_CASES" in os.environ else CORE
LEFT_OUT = ["12.*", "13.*"]
AT_LEAST = 247 if CASES == CORE else 1
LARGEST = 2**25

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

app = App()


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run on both event loops that sessions have."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@app.websocket("/", max_message_size=LARGEST)
async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


async def test_the_server_fails_no_case() -> None:
    async with serve(app, port=0) as server:
        results = await kosoku.run_fuzzingclient(f"ws://127.0.0.1:{server.port}/", CASES, LEFT_OUT, 4)
    assert len(results) >= AT_LEAST


async def test_the_client_fails_no_case() -> None:
    async with kosoku.run_fuzzingserver(CASES, LEFT_OUT, port=0) as fuzzer:
        url = f"ws://127.0.0.1:{fuzzer.port}"
        async with connect[str, str](f"{url}/getCaseCount") as session:
            count = int(await session.incoming.first())
        for case in range(1, count + 1):
            await echo_case(f"{url}/runCase?case={case}&agent=flowsock")
        async with connect(f"{url}/updateReports?agent=flowsock"):
            pass
        results = await fuzzer.get_result()
    assert len(results) == count >= AT_LEAST


async def echo_case(url: str) -> None:
    try:
        async with connect(url, max_message_size=LARGEST) as session:
            await session.incoming.collect(session.send)
    except SessionClosed:
        # The case was one in which the tester breaks the protocol, or goes without a word.
        return
