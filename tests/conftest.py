"""Fixtures for all tests: the backends, and virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from flowsock.testing.clock import virtual_time


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """Run each portable test on asyncio and trio (virtual time) and on uvloop."""
    if request.param == "uvloop":
        return "asyncio", {"use_uvloop": True}
    return virtual_time(request.param)


@pytest.fixture
def virtual_clock(anyio_backend: tuple[str, Any]) -> None:
    """Skip where time is real: the test waits for timers."""
    if "use_uvloop" in anyio_backend[1]:
        pytest.skip("uvloop runs on real time")
