"""The hosts that sessions run on: sockets on each event loop, on real time, and memory, on virtual time."""

from __future__ import annotations

from typing import Any, Final

import pytest

from flowsock.sessions.drivers.memory import MemoryDriver, MemoryNetwork
from flowsock.testing.clock import virtual_time
from tests.sessions import lines

SOCKETS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "asyncio": ("asyncio", {"use_uvloop": False}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
MEMORY: Final = {"memory on asyncio": "asyncio", "memory on trio": "trio"}


ASYNCIO: Final = ["asyncio", "uvloop"]


@pytest.fixture(params=[*SOCKETS, *MEMORY])
def anyio_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Any]:
    """Run each test on every host."""
    if request.param in SOCKETS:
        return SOCKETS[request.param]
    network = MemoryNetwork()
    monkeypatch.setattr(lines, "memory", network)
    for module in ("server.server", "client.client", "client.events"):
        monkeypatch.setattr(f"flowsock.sessions.{module}.running_driver", lambda: MemoryDriver(network))
    return virtual_time(MEMORY[request.param])


@pytest.fixture(params=SOCKETS)
def socket_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run each test on every kind of socket, for modules that import this as their ``anyio_backend``."""
    return SOCKETS[request.param]
