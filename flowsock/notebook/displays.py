"""The newest value of a flow, in one place of a notebook."""

from __future__ import annotations

from html import escape
from traceback import format_exception_only
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import sleep
from IPython import display

from flowsock.emitting import settle
from flowsock.notebook.kernel_scope import scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.flows.flow import Flow
    from flowsock.scopes.job import Job

T = TypeVar("T")

_screen: Any = display  # its functions have no types


def itself(value: Any) -> Any:
    """Show a value as it is."""
    return value


def live(
    flow: Flow[T], *, render: Callable[[T], object] = itself, max_rate: float = 10.0, name: str | None = None
) -> Job[None]:
    """Show the newest value of a flow, below the cell, while the flow runs on: ``live(flow)``, or ``await live(flow)``.

    Law: the flow is collected in a job of the kernel's `scope`, and conflated: it is never made to wait, the first value is
    shown at once, later ones ``max_rate`` times a second at most, and the last one always. An error of the flow or of
    ``render`` is shown in the same place, below the last value, and raised to who awaits the job.

    Args:
        flow: What to show.
        render: Makes, sync or async, what is shown of a value: text, or anything that a notebook can display, such as
            ``IPython.display.HTML``, a table or a plot.
        max_rate: Updates per second, at most.
        name: The name of the job; a job that has it is stopped.

    Raises:
        ValueError: the rate is not above 0.

    >>> job = notebook.live(flow_of(1, 2, 3), render="level {}".format)
    waiting for the first value …
    >>> await job
    level 1
    level 3
    """
    if not max_rate > 0:
        raise ValueError(f"live needs a rate above 0 updates a second, got {max_rate}")
    jobs = scope()
    if name is not None:
        jobs.replace(name)
    shown = _Shown(render, 1 / max_rate)
    return jobs.launch(shown.follow, flow, name=name or "live")


class _Shown:
    """One place in a notebook."""

    __slots__ = ("_handle", "_last", "_pause", "_render")

    def __init__(self, render: Callable[[Any], object], pause: float) -> None:
        self._render = render
        self._pause = pause
        self._last: object = ""
        self._handle = _screen.DisplayHandle()
        self._handle.display(_Text("waiting for the first value …"))

    async def follow(self, flow: Flow[Any]) -> None:
        try:
            await flow.conflate().collect(self._show)
        except Exception as error:
            self._handle.update(_Text(self._last, "".join(format_exception_only(error)).strip()))
            raise
        if self._last == "":
            self._handle.update(_Text("the flow ended without a value"))

    async def _show(self, value: Any) -> None:
        rendered = await settle(self._render(value))
        self._last = rendered
        self._handle.update(_Text(rendered) if isinstance(rendered, str) else rendered)
        await sleep(self._pause)


class _Text:
    """A value as text without quotes, and an error below it."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: object, error: str = "") -> None:
        self._value = value
        self._error = error

    def __repr__(self) -> str:
        return "\n".join(filter(None, (str(self._value), self._error)))

    def _repr_html_(self) -> str:
        red = f'<pre style="color:#cf222e">{escape(self._error)}</pre>' if self._error else ""
        made = getattr(self._value, "_repr_html_", None)
        return f"{made() if made else f'<pre>{escape(str(self._value))}</pre>'}{red}"
