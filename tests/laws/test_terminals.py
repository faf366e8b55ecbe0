"""Every terminal operator keeps the laws."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.laws import laws
from tests.laws.operators import plainly, slowly
from tests.laws.terminals import TERMINALS, Terminal
from tests.laws.upstream import Upstream
from tests.turns import settled

if TYPE_CHECKING:
    from tests.laws.operators import Made

pytestmark = pytest.mark.anyio


def name_of(value: object) -> str | None:
    return value.method if isinstance(value, Terminal) else getattr(value, "__name__", None)


VARIANTS = [(terminal, made) for terminal in TERMINALS for made in ((plainly, slowly) if terminal.asks else (plainly,))]
EVERY_TERMINAL = pytest.mark.parametrize(("terminal", "made"), VARIANTS, ids=name_of)


@EVERY_TERMINAL
async def test_an_error_from_above_comes_out_as_it_is(terminal: Terminal, made: Made) -> None:
    for values in (0, 1):
        error = laws.Broken("above")
        source = Upstream(values, error=error)
        async with laws.nothing_left_running():
            with pytest.raises(laws.Broken) as raised:
                await terminal.run(source.emitted().on_each(source.see), made)
            assert (source.opened, source.closed) == (1, 1)
        laws.assert_untouched(raised.value, error)


@pytest.mark.parametrize(("terminal", "made"), [pair for pair in VARIANTS if pair[0].asks], ids=name_of)
async def test_an_error_of_the_callback_comes_out_and_ends_the_source(terminal: Terminal, made: Made) -> None:
    error = laws.Broken("in the callback")

    def fail(*_arguments: object) -> Any:
        raise error

    source = Upstream(2, endless=True, in_a_group=True)
    async with laws.nothing_left_running():
        with pytest.raises(laws.Broken) as raised:
            await terminal.run(source.emitted().on_each(source.see), lambda _function: made(fail))
        assert (source.opened, source.closed) == (2, 2)
    laws.assert_untouched(raised.value, error)
    assert len(source.tasks) == 1


@pytest.mark.parametrize(("terminal", "made"), [pair for pair in VARIANTS if pair[0].stop is not None], ids=name_of)
async def test_having_enough_ends_the_source(terminal: Terminal, made: Made) -> None:
    assert terminal.stop is not None
    source = Upstream(2, endless=True, in_a_group=True)
    async with laws.nothing_left_running():
        await terminal.stop(source.emitted().on_each(source.see), made)
        assert (source.opened, source.closed) == (2, 2)
    assert len(source.tasks) == 1


@EVERY_TERMINAL
async def test_a_cancellation_ends_the_source_at_once(terminal: Terminal, made: Made) -> None:
    for started in laws.ways_to_cancel():
        source = Upstream(1, endless=True, in_a_group=True)
        run = partial(terminal.run, source.emitted().on_each(source.see), made)
        async with laws.nothing_left_running(), started(run) as cancel:
            await source.exhausted.wait()
            await settled()
            assert (source.cancelled, source.closed) == (0, 0)
            cancel()
            await settled()
            assert source.cancelled == 1
            assert (source.opened, source.closed) == (2, 2)
        assert len(source.tasks) == 1
