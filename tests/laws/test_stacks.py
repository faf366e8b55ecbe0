"""Stacks of operators keep the laws that each operator keeps."""

from __future__ import annotations

from functools import reduce
from math import inf
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock.testing.clock import virtual_time
from tests.laws import laws
from tests.laws.operators import OPERATORS, Asks, Made, Operator, Through, plainly, slowly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock import Flow

BACKENDS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "asyncio": virtual_time("asyncio"),
    "trio": virtual_time("trio"),
    "uvloop": ("asyncio", {"use_uvloop": True}),
}


def layer(operator: Operator, made: Made) -> tuple[Operator, Made]:
    # Whoever is cancelled while he decides about an error has it in his hands: that is no law's business.
    return operator, made if operator.waits and operator.asks is not Asks.FAILURE else plainly


stacks = st.lists(st.builds(layer, st.sampled_from(OPERATORS), st.sampled_from([plainly, slowly])), min_size=2, max_size=3)


def through(stack: list[tuple[Operator, Made]]) -> Through:
    def apply(flow: Flow[int]) -> Flow[int]:
        return reduce(lambda above, layer: layer[0].apply(above, layer[1]), stack, flow)

    return apply


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(law=st.sampled_from(laws.LAWS), stack=stacks)
def test_a_stack_keeps_the_laws(backend: str, law: laws.Law, stack: list[tuple[Operator, Made]]) -> None:
    name, options = BACKENDS[backend]
    anyio.run(law, through(stack), backend=name, backend_options=dict(options))


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(stack=stacks)
def test_a_stack_lets_its_source_ahead_no_further_than_its_layers_together(
    backend: str, stack: list[tuple[Operator, Made]]
) -> None:
    # And one more each, for a value that a layer has in its hands.
    most = sum(inf if operator.lossy else operator.ahead + 1 for operator, _made in stack)
    name, options = BACKENDS[backend]
    accepted = anyio.run(laws.accepted_while_held, through(stack), backend=name, backend_options=dict(options))
    assert accepted <= most
