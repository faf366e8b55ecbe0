"""Our operators do, value by value and instant by instant, what reactivex's do, except for the differences in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock.testing import Error, Timed, Timeline, marbles, observe, parse_marbles, virtual_time
from tests.peers.observables import observe_peer
from tests.peers.operators import PEERS, Peer

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG = 60
"""Ticks after which nothing happens any more."""

EVERY_PEER = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
KNOWN = pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.difference], ids=lambda peer: peer.name)


class Broken(Exception):
    """What the sources fail with."""


class Own(Exception):
    """Stands for what an operator itself raises, which has another class in each library."""


BROKEN, OWN = Broken(), Own()


def comparable(timeline: Timeline[Any]) -> Timeline[Any]:
    if isinstance(timeline.end, Error) and timeline.end.error is not BROKEN:
        return evolve(timeline, events=(*timeline.events[:-1], Timed(timeline.duration, Error(OWN))))
    return timeline


def compare(peer: Peer, lines: Sequence[str], backend: str) -> None:
    """Fail if there is a difference that the table does not account for."""
    ours, theirs, sources = observed(peer, lines, backend)
    if ours != theirs:
        assert peer.difference is not None, f"on {lines}:\n  ours {ours}\ntheirs {theirs}"
        assert peer.difference.accounts(ours, theirs, sources), f"on {lines}:\n  ours {ours}\ntheirs {theirs}"


def observed(peer: Peer, lines: Sequence[str], backend: str) -> tuple[Timeline[Any], Timeline[Any], list[Timeline[Any]]]:
    async def observe_ours() -> Timeline[Any]:
        return await observe(peer.ours(*(marbles(line, error=BROKEN) for line in lines)), ticks=LONG)

    name, options = virtual_time(backend)
    ours = anyio.run(observe_ours, backend=name, backend_options=dict(options))
    sources = [parse_marbles(line, error=BROKEN) for line in lines]
    return comparable(ours), comparable(observe_peer(peer.theirs, sources, LONG)), sources


LINES = (
    "|",
    "#",
    "----",
    "1-|",
    "1-1-2-2-1-|",
    "--5-4-3-2-1-#",
    "1-2---3-----4-|",
    "-------3-|",
    "3-1-----4-1-5---2-6-----5-3-#",
    "2-2---4-4----",
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@EVERY_PEER
def test_an_operator_does_what_its_peer_does_on_fixed_lines(peer: Peer, backend: str) -> None:
    # Sources of one operator take turns: in one instant it is the scheduler who says who comes first.
    for line in LINES:
        compare(peer, [line, *(f"-{other}" for other in LINES[: peer.sources - 1])], backend)
        compare(peer, [line, *("-" + line for _ in range(peer.sources - 1))], backend)


ticks = st.lists(st.sampled_from("-----12345"), max_size=10).map(lambda values: "".join(f"{value}-" for value in values))
line = st.builds(str.__add__, ticks, st.sampled_from(["|", "|", "#", "-"]))


@EVERY_PEER
@settings(max_examples=25, deadline=None, derandomize=True)
@given(lines=st.tuples(line, line.map("-".__add__)))
def test_an_operator_does_what_its_peer_does_on_random_lines(peer: Peer, lines: tuple[str, str]) -> None:
    compare(peer, lines[: peer.sources], "asyncio")


@KNOWN
def test_a_known_difference_is_still_there(peer: Peer) -> None:
    assert peer.difference is not None
    ours, theirs, sources = observed(peer, peer.difference.example, "asyncio")
    assert ours != theirs
    assert peer.difference.accounts(ours, theirs, sources)
