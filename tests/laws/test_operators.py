"""Every operator keeps the laws."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import flowsock
from flowsock import Flow, MutableSharedFlow, MutableStateFlow, SharedFlow, StateFlow
from tests.laws import laws
from tests.laws.operators import ELSEWHERE, OPERATORS, Asks, Caught, Operator, plainly, slowly
from tests.laws.terminals import TERMINALS
from tests.laws.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.laws.operators import Made

pytestmark = pytest.mark.anyio


def name_of(value: object) -> str | None:
    return value.name if isinstance(value, Operator) else getattr(value, "__name__", None)


VARIANTS = [
    (operator, made)
    for operator in OPERATORS
    for made in ((plainly, slowly) if operator.waits and operator.asks is not Asks.NEVER else (plainly,))
]
EVERY_OPERATOR = pytest.mark.parametrize(("operator", "made"), VARIANTS, ids=name_of)


@EVERY_OPERATOR
async def test_an_operator_keeps_the_laws(operator: Operator, made: Made) -> None:
    for law in laws.LAWS:
        await law(operator.through(made))


@EVERY_OPERATOR
async def test_an_error_of_the_cleanup_wins_over_the_cancellation(operator: Operator, made: Made) -> None:
    if (operator.method, made) == ("retry_when", slowly):
        pytest.skip("whoever is cancelled while he decides about an error has it in his hands")
    await laws.lets_an_error_of_the_cleanup_out_while_cancelled(operator.through(made))


@EVERY_OPERATOR
async def test_an_operator_lets_its_source_ahead_as_far_as_it_says(operator: Operator, made: Made) -> None:
    accepted = await laws.accepted_while_held(operator.through(made))
    assert accepted == min(operator.ahead, 200)


SOURCES: dict[Asks, Callable[[], Upstream]] = {
    Asks.VALUE: partial(Upstream, endless=True, in_a_group=True),
    Asks.SECOND: partial(Upstream, endless=True, in_a_group=True),
    Asks.START: Upstream,
    Asks.END: Upstream,
    Asks.FAILURE: lambda: Upstream(1, error=Caught()),
    Asks.EMPTINESS: partial(Upstream, 0),
}


@pytest.mark.parametrize(("operator", "made"), [pair for pair in VARIANTS if pair[0].asks is not Asks.NEVER], ids=name_of)
async def test_an_error_of_the_callback_comes_out_and_ends_the_source(operator: Operator, made: Made) -> None:
    """And it may be caught below. Scenarios transform-02, distinct-06, limit-07, limit-10 and limit-16."""
    error = laws.Broken("in the callback")

    def fail(*_arguments: object) -> Any:
        raise error

    for again in (False, True):
        source = SOURCES[operator.asks]()
        failing = operator.apply(source.emitted(), lambda _function: made(fail)).on_each(source.see)
        async with laws.nothing_left_running():
            if again:
                assert (await failing.catch(lambda emit, _error: emit(-1)).to_list())[-1] == -1
            else:
                with pytest.raises(laws.Broken) as raised:
                    await failing.collect()
                laws.assert_untouched(raised.value, error)
            assert source.is_closed
        assert bool(source.opened) is (operator.asks is not Asks.START)
        assert len(source.tasks) <= 1


def test_the_tables_have_everything_a_flow_can_do() -> None:
    """Whoever writes a new operator proves that it keeps the laws."""
    listed = {row.method for row in (*OPERATORS, *TERMINALS)}
    kinds = (Flow, SharedFlow, StateFlow, MutableSharedFlow, MutableStateFlow)
    methods = {name for kind in kinds for name, member in vars(kind).items() if callable(member) and name[0] != "_"}
    functions = {"merge", "combine", "combine_transform"}
    assert listed - functions == methods - set(ELSEWHERE)
    assert set(ELSEWHERE) <= methods
    assert functions <= set(flowsock.__all__)
