"""Autobahn's cases, driven by kosoku, against both of our roles: framing, fragments, UTF-8, closing and limits.

Group 9, with messages of up to 16 MiB, is left to ``AUTOBAHN_CASES="*" pytest tests/conformance``; groups 12 and 13 are about
compression, which is not there yet. The driver runs in a process of its own, because it changes what ``import`` finds.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from flowsock import App, Session, SessionClosed, connect, serve
from tests.sessions.conftest import SOCKETS

KOSOKU = str(Path(sys.executable).parent / "kosoku")
CORE = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)]
CASES = [os.environ["AUTOBAHN_CASES"]] if "AUTOBAHN_CASES" in os.environ else CORE
LEFT_OUT = ["12.*", "13.*"]
AT_LEAST = 247 if CASES == CORE else 1
LARGEST = 2**25

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

app = App()


@pytest.fixture(params=SOCKETS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run on every event loop."""
    return SOCKETS[request.param]


@app.websocket("/", max_message_size=LARGEST)
async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


def kosoku(mode: str, address: str, reports: Path) -> list[str]:
    selection = [option for case in CASES for option in ("-i", case)] + [option for case in LEFT_OUT for option in ("-x", case)]
    return [KOSOKU, "-m", mode, "-p", "4", "-o", str(reports), *selection, address]


def passed(output: bytes) -> int:
    found = re.search(r"(\d+) cases passed", output.decode())
    assert found is not None, output.decode()
    return int(found[1])


async def test_the_server_fails_no_case(tmp_path: Path) -> None:
    async with serve(app, port=0) as server:
        result = await anyio.run_process(kosoku("fuzzingclient", f"127.0.0.1:{server.port}", tmp_path), check=False)
    assert passed(result.stdout) >= AT_LEAST
    assert result.returncode == 0


async def test_the_client_fails_no_case(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = kosoku("fuzzingserver", address, tmp_path)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    async with await anyio.open_process(command, env=environment, stderr=subprocess.STDOUT) as fuzzer:
        assert fuzzer.stdout is not None
        assert b"listening" in await fuzzer.stdout.receive()
        count = await run_all(f"ws://{address}")
        output = b"".join([piece async for piece in fuzzer.stdout])
    assert passed(output) == count >= AT_LEAST


async def run_all(url: str) -> int:
    async with connect[str, str](f"{url}/getCaseCount") as session:
        count = int(await session.incoming.first())
    for case in range(1, count + 1):
        await echo_case(f"{url}/runCase?case={case}&agent=flowsock")
    async with connect(f"{url}/updateReports?agent=flowsock"):
        return count


async def echo_case(url: str) -> None:
    try:
        async with connect(url, max_message_size=LARGEST) as session:
            await session.incoming.collect(session.send)
    except SessionClosed:
        # The case was one in which the tester breaks the protocol, or goes without a word.
        return
