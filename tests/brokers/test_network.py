"""A network between a process and its broker that is cut: packets vanish, and nobody says so."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import BrokerConnected, BrokerWaiting, open_broker
from tests.brokers.servers import SERVERS, BrokerPlace, BrokerServer, quick
from tests.brokers.test_loss import BOUND, collected, until_seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

NAMESPACE = "flowsock-test"
HERE, THERE = "10.213.77.1", "10.213.77.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[str, ...]]:
    """Have a network namespace on a line of its own; give what runs a command in it."""
    try:
        ip("netns", "add", NAMESPACE)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces cannot be made here: it takes iproute2, and root")
    inside = ("ip", "netns", "exec", NAMESPACE)
    try:
        ip("link", "add", "flowsock0", "type", "veth", "peer", "name", "flowsock1", "netns", NAMESPACE)
        ip("addr", "add", f"{HERE}/24", "dev", "flowsock0")
        ip("link", "set", "flowsock0", "up")
        ip("-n", NAMESPACE, "addr", "add", f"{THERE}/24", "dev", "flowsock1")
        ip("-n", NAMESPACE, "link", "set", "lo", "up")
        ip("-n", NAMESPACE, "link", "set", "flowsock1", "up")
        yield inside
    except subprocess.CalledProcessError as error:
        pytest.skip(f"a line to a network namespace cannot be made here: {error.stderr}")
    finally:
        ip("netns", "del", NAMESPACE)


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest, network: tuple[str, ...], tmp_path: Path) -> Iterator[tuple[str, BrokerServer]]:
    server = SERVERS[request.param](tmp_path, THERE, network)
    try:
        server.start()
        yield request.param, server
    finally:
        server.kill()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_73_a_network_that_is_cut_is_found_out_and_what_was_emitted_meanwhile_comes_once(
    server: tuple[str, BrokerServer],
) -> None:
    place = BrokerPlace(*server)
    async with open_broker(place.url, **quick(timeout=0.5, ping_interval=0.1)) as broker:
        topic = broker.topic("numbers", int)
        await topic.wait_joined()
        async with collected(topic) as seen:
            await topic.emit(0)
            await until_seen(seen, 0)
            ip("-n", NAMESPACE, "link", "set", "flowsock1", "down")
            for n in range(1, 50):
                await topic.emit(n)
            with anyio.fail_after(BOUND):
                await broker.state.first(lambda state: isinstance(state, BrokerWaiting))
            assert seen == [0]
            ip("-n", NAMESPACE, "link", "set", "flowsock1", "up")
            await until_seen(seen, 49)
            assert broker.state.value == BrokerConnected()
            assert seen == list(range(50))
            assert topic.statistics().lost == 0
