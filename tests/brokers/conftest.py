"""Fixtures: each kind of broker, and two processes' worth of clients of one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from flowsock import open_broker
from tests.brokers.servers import SERVERS, BrokerPlace, broker_place, quick

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from flowsock import Broker


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """Run on real time: there are sockets."""
    if request.param == "uvloop":
        return "asyncio", {"use_uvloop": True}
    return request.param, {}


def _place(scheme: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerPlace]:
    with broker_place(scheme, tmp_path_factory.mktemp("broker")) as place:
        yield place


@pytest.fixture(scope="module", params=["memory", *SERVERS])
def _shared_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerPlace]:
    yield from _place(request.param, request, tmp_path_factory)


def _check_backend(place: BrokerPlace, backend: tuple[str, Any]) -> None:
    if place.scheme.startswith("nats") and backend[0] == "trio":
        pytest.skip("nats-py runs on asyncio only")


@pytest.fixture
def place(_shared_place: BrokerPlace, anyio_backend: tuple[str, Any]) -> BrokerPlace:
    """Give each kind of broker; its process is shared by the tests of a module."""
    _check_backend(_shared_place, anyio_backend)
    return _shared_place


@pytest.fixture(params=list(SERVERS))
def own_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, anyio_backend: tuple[str, Any]
) -> Iterator[BrokerPlace]:
    """Give each kind of broker that is a process, one for each test, which may kill it."""
    for place in _place(request.param, request, tmp_path_factory):
        _check_backend(place, anyio_backend)
        yield place


@asynccontextmanager
async def two_brokers(place: BrokerPlace, **settings: Any) -> AsyncGenerator[tuple[Broker, Broker]]:
    """Open a broker as two processes would: twice, except for ``memory://``, which is one process."""
    async with open_broker(place.url, **quick(**settings)) as here:
        if place.server is None:
            yield here, here
        else:
            async with open_broker(place.url, **quick(**settings)) as there:
                yield here, there
