"""Autobahn's cases in both of our roles, driven by kosoku in a process of its own, because it changes what ``import`` finds."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

from flowsock import App, Deflate, Session, SessionClosed, connect, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdicts: TypeAlias = dict[str, tuple[str, str]]
"""For each case how it went, and how it was closed."""

GOOD: Final = {"OK", "NON-STRICT", "INFORMATIONAL"}

_KOSOKU: Final = str(Path(sys.executable).parent / "kosoku")
_LARGEST: Final = 2**25

# Everything is compressed: that is what the cases are about, and kosoku fails over a plain text in a compressed session (its
# case code hashes what it got, bytes after inflation but a str otherwise).
_DEFLATE: Final = Deflate(threshold=1)
_ALONE: Final = Deflate(threshold=1, client_no_context_takeover=True)

_app = App()


@_app.websocket("/", max_message_size=_LARGEST, deflate=_DEFLATE)
async def _echo(session: Session) -> None:
    await session.incoming.collect(session.send)


def _command(mode: str, address: str, reports: Path, cases: Sequence[str]) -> list[str]:
    selection = [option for case in cases for option in ("-i", case)]
    return [_KOSOKU, "-m", mode, "-p", "2", "-o", str(reports), *selection, address]


def _verdicts(reports: Path) -> Verdicts:
    (results,) = json.loads((reports / "index.json").read_text()).values()
    return {case: (verdict["behavior"], verdict["behaviorClose"]) for case, verdict in results.items()}


async def server_verdicts(cases: Sequence[str], reports: Path) -> Verdicts:
    """Run cases against our server.

    Args:
        cases: Their numbers, with ``*``.
        reports: An empty folder, which gets the details.
    """
    async with serve(_app, port=0) as server:
        await anyio.run_process(_command("fuzzingclient", f"127.0.0.1:{server.port}", reports, cases), check=False)
    return _verdicts(reports)


async def client_verdicts(cases: Sequence[str], reports: Path) -> Verdicts:
    """Run cases against our client.

    In some the tester declines all but a client that offers to keep no context; those are run again, with one.
    """
    verdicts = await _client_verdicts(cases, reports / "usual", _DEFLATE)
    declined = [case for case, (behaviour, _) in verdicts.items() if behaviour == "UNIMPLEMENTED"]
    return verdicts | await _client_verdicts(declined, reports / "alone", _ALONE) if declined else verdicts


async def _client_verdicts(cases: Sequence[str], reports: Path, deflate: Deflate) -> Verdicts:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = _command("fuzzingserver", address, reports, cases)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    async with await anyio.open_process(command, env=environment, stderr=subprocess.STDOUT) as fuzzer:
        assert fuzzer.stdout is not None
        assert b"listening" in await fuzzer.stdout.receive()
        try:
            await _run_all(f"ws://{address}", deflate)
        except BaseException:
            fuzzer.kill()
            raise
        async for _ in fuzzer.stdout:
            pass
    return _verdicts(reports)


async def _run_all(url: str, deflate: Deflate) -> None:
    async with connect[str, str](f"{url}/getCaseCount") as session:
        count = int(await session.incoming.first())
    for case in range(1, count + 1):
        await _run_case(f"{url}/runCase?case={case}&agent=flowsock", deflate)
    async with connect(f"{url}/updateReports?agent=flowsock"):
        return


async def _run_case(url: str, deflate: Deflate) -> None:
    try:
        async with connect(url, max_message_size=_LARGEST, deflate=deflate) as session:
            await session.incoming.collect(session.send)
    except SessionClosed:
        # The case was one in which the tester breaks the protocol, or goes without a word.
        return


def failed(verdicts: Verdicts) -> Verdicts:
    """Give the cases that did not go well."""
    return {case: verdict for case, verdict in verdicts.items() if not set(verdict) <= GOOD}
