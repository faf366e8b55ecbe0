"""The newest value of a flow in one place."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio import sleep
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from flowsock import as_flow, flow_of, interval
from flowsock.notebook import live, scope

pytestmark = pytest.mark.anyio


@pytest.fixture
def shell() -> Any:
    """Display in a real shell, which formats what is shown."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


async def shown(job_of: Any) -> list[dict[str, Any]]:
    """Give what was displayed, as MIME bundles."""
    with capture_output() as captured:
        await job_of().join()
    return [output.data for output in captured.outputs]


async def test_one_place_is_updated_and_the_last_value_is_there(shell: Any) -> None:
    bundles = await shown(lambda: live(interval(0.011, initial_delay=0).take(42), render="level {}".format))
    texts = [bundle["text/plain"] for bundle in bundles]
    assert texts == ["waiting for the first value …", "level 0", "level 9", "level 18", "level 27", "level 36", "level 41"]


async def test_all_updates_are_of_one_display(shell: Any) -> None:
    with capture_output() as captured:
        await live(flow_of(1, 2)).join()
    assert len({output.transient["display_id"] for output in captured.outputs}) == 1
    assert [output.update for output in captured.outputs] == [False, True, True]


async def test_a_source_is_never_made_to_wait(shell: Any) -> None:
    start = anyio.current_time()
    sent: list[float] = []
    await shown(lambda: live(interval(1).take(5).on_each(lambda _n: sent.append(anyio.current_time() - start)), max_rate=0.1))
    assert sent == [1, 2, 3, 4, 5]


async def test_what_is_rendered_may_be_anything_and_take_time(shell: Any) -> None:
    class Table:
        def _repr_html_(self) -> str:
            return "<table></table>"

    async def render(_value: object) -> Table:
        await sleep(1)
        return Table()

    assert (await shown(lambda: live(flow_of(1), render=render)))[-1]["text/html"] == "<table></table>"


async def test_an_error_is_shown_in_place_below_the_last_value_and_raised_to_who_awaits(shell: Any) -> None:
    async def wait(_value: object) -> None:
        await sleep(1)

    flow = as_flow([2, 0]).on_each(wait).map(lambda n: 1 // n)
    job = None

    def start() -> Any:
        nonlocal job
        job = live(flow, render="<b>{}".format)
        return job

    last = (await shown(start))[-1]
    assert last["text/plain"] == "<b>0\nZeroDivisionError: integer division or modulo by zero"
    assert "&lt;b&gt;0</pre><pre style" in last["text/html"]
    with pytest.raises(ZeroDivisionError):
        await job  # type: ignore[misc]


async def test_a_flow_without_a_value_says_so(shell: Any) -> None:
    assert (await shown(lambda: live(flow_of())))[-1]["text/plain"] == "the flow ended without a value"


async def test_a_cell_that_is_run_again_replaces_its_job(shell: Any) -> None:
    with capture_output():
        first = live(interval(1), name="clock")
        second = live(interval(1), name="clock")
        await first.join()
        assert [job.name for job in scope().jobs] == ["clock"]
        assert second.is_active
        await scope().stop("clock")
    assert second.is_cancelled


async def test_a_rate_is_needed() -> None:
    with pytest.raises(ValueError, match="rate above 0"):
        live(flow_of(1), max_rate=0)
