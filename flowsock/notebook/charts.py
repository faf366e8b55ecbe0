"""A chart of flows that moves."""

from __future__ import annotations

from collections import deque
from functools import partial
from traceback import format_exception_only
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets
from anyio import current_time, sleep

from flowsock.flows.flow import Flow
from flowsock.flows.state import MutableStateFlow
from flowsock.notebook.kernel_scope import scope
from flowsock.notebook.line_picture import picture
from flowsock.scopes.scope import coroutine_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.scopes.job import Job

_MOST_POINTS: Final = 600
"""A line has one point for two pixels at most, even if it changes more often."""

_SHOW: Final = """
export default {
  render({ model, el }) {
    const show = () => { el.innerHTML = model.get("svg"); };
    model.on("change:svg", show);
    show();
    return () => model.off("change:svg", show);
  },
};
"""


def chart(
    flows: Mapping[str, Flow[float]] | Flow[float],
    *,
    seconds: float = 30.0,
    max_rate: float = 10.0,
    title: str = "",
    name: str = "chart",
) -> LiveChart:
    """Draw flows of numbers as lines that move: ``notebook.chart({"load": load, "memory": memory})``.

    Law: the flows are collected in a job of the kernel's `scope`, which ends when they have, and never wait. The chart changes
    ``max_rate`` times a second at most, and shows the last values always. An error of a flow ends the job and stands
    in the chart.

    Args:
        flows: What to draw: flows by the names of their lines, or one flow.
        seconds: How long ago the left end of the chart is.
        max_rate: Updates per second, at most.
        title: What stands above the lines.
        name: The name of the job; a job that has it is stopped.

    Raises:
        ValueError: the rate or the seconds are not above 0, or there is no flow.

    >>> moving = notebook.chart(flow_of(1.0, 3.0, 2.0), title="load")
    >>> await moving.job
    >>> moving.lines
    {'value': [1.0, 3.0, 2.0]}
    """
    named: Mapping[str, Flow[float]] = {"value": flows} if isinstance(flows, Flow) else flows
    if not named:
        raise ValueError("a chart needs a flow to draw")
    if not (max_rate > 0 and seconds > 0):
        raise ValueError(f"a chart needs a rate and seconds above 0, got {max_rate} and {seconds}")
    jobs = scope()
    jobs.replace(name)
    made = LiveChart(tuple(named), seconds, title)
    made.job = jobs.launch(partial(made.follow, named, 1 / max_rate), name=name)
    return made


class LiveChart(anywidget.AnyWidget):
    """A chart of flows that moves, as a widget for JupyterLab, VS Code and marimo; made by `chart`.

    Law: what it shows is drawn here, so that `svg` is what is seen.

    Attributes:
        job: What collects the flows; cancel it to stop the chart.
        svg: The picture as it is now.

    >>> still = notebook.chart(flow_of(1.0))
    >>> await still.job
    >>> still.svg[:4]
    '<svg'
    """

    _esm = _SHOW
    svg = traitlets.Unicode("").tag(sync=True)
    job: Job[None]

    def __init__(self, names: tuple[str, ...], seconds: float, title: str) -> None:
        self._points = {name: deque[tuple[float, float]](maxlen=_MOST_POINTS) for name in names}
        self._seconds = seconds
        self._title = title
        self._error = ""
        super().__init__(svg=self._picture())

    def __repr__(self) -> str:
        return f"<LiveChart of {', '.join(self._points)}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Give the picture as well, for where there are no widgets: a page, or a notebook that is stored."""
        widget: Any = super()
        made = widget._repr_mimebundle_(**kwargs)
        return None if made is None else ({**made[0], "text/plain": repr(self), "image/svg+xml": self.svg}, made[1])

    @property
    def lines(self) -> dict[str, list[float]]:
        """Give the values of each line, oldest first.

        Law: of a line that is drawn there are the last 600 values at most.

        >>> moving = notebook.chart({"a": flow_of(1.0, 2.0)})
        >>> await moving.job
        >>> moving.lines
        {'a': [1.0, 2.0]}
        """
        return {name: [value for _time, value in points] for name, points in self._points.items()}

    def snapshot(self) -> Snapshot:
        """Give the picture as it is now, for a notebook that is stored.

        Law: it does not change.

        >>> still = notebook.chart(flow_of(1.0))
        >>> await still.job
        >>> still.snapshot()._repr_svg_()[:4]
        '<svg'
        """
        return Snapshot(self.svg)

    async def follow(self, flows: Mapping[str, Flow[float]], pause: float) -> None:
        """Collect the flows to their ends, and move the chart meanwhile."""
        changes = MutableStateFlow(0)
        try:
            async with coroutine_scope() as painting:
                painting.launch(changes.collect, partial(self._paint, pause))
                async with coroutine_scope() as collecting:
                    for name, flow in flows.items():
                        collecting.launch(flow.collect, partial(self._add, name, changes))
                painting.cancel()
        except Exception as error:
            self._error = "".join(format_exception_only(error)).strip()
            raise
        finally:
            self.svg = self._picture()

    def _add(self, name: str, changes: MutableStateFlow[int], value: float) -> None:
        self._points[name].append((current_time(), float(value)))
        changes.value += 1

    async def _paint(self, pause: float, _change: int) -> None:
        self.svg = self._picture()
        await sleep(pause)

    def _picture(self) -> str:
        return picture(self._points, now=current_time(), seconds=self._seconds, title=self._title, error=self._error)


class Snapshot:
    """A picture that stays as it is."""

    __slots__ = ("_svg",)

    def __init__(self, svg: str) -> None:
        self._svg = svg

    def _repr_svg_(self) -> str:
        return self._svg
