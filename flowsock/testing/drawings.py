"""The drawing of what really happened when flows were collected: text in a terminal, a picture in a notebook."""

from __future__ import annotations

from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread
from attrs import frozen

from flowsock.testing.clock import virtual_time
from flowsock.testing.marble_svg import svg_of
from flowsock.testing.marble_text import text_of
from flowsock.testing.probes import Probes
from flowsock.testing.tracks import Clock, Row

if TYPE_CHECKING:
    from flowsock.flows.flow import Flow
    from flowsock.flows.source import Source


async def marble(*flows: Flow[Any], seconds: float = 60.0, virtual: bool = False, title: str = "") -> MarbleDrawing:
    """Collect flows, and draw what happened at each of their stages: ``await marble(flow)``.

    A row for each stage, from the source down, in marble notation: values, completion ``|``, an error ``#``, and ``!`` where a
    stage was cancelled from below. ``=`` after a value tells how long its producer had to wait. Above the row of a buffer stand
    the values that waited in it, and ``x`` where one was dropped.

    Law: the flows are collected once, together, as they are, and the drawing shows nothing else than that; an error ends a
    flow's rows and is not raised. After ``seconds``, or 1000 events, the observation is over: the flows are cancelled, and
    their rows go on.

    Args:
        flows: What to collect. A flow that emits into another, hot one may be among them.
        seconds: The longest observation, on the clock that it runs on.
        virtual: Run on a virtual clock, in a thread of its own, so that hours pass at once, also in a notebook; then nothing
            that happens outside the flows can be waited for. Where the event loop has a virtual clock it is not needed.
        title: What the picture says above the rows.

    Raises:
        ValueError: there is no flow, or the seconds are not above 0.

    >>> print(await marble(marbles("-ab--c|").map(str.upper).debounce(2)))
    marbles          -ab--c|
    .map(str.upper)  -AB--C|
    .debounce(2)     ----B-(C|)
    """
    if not flows:
        raise ValueError("marble() needs a flow to collect")
    if not seconds > 0:
        raise ValueError(f"an observation must take more than 0 s, not {seconds}")
    sources = [flow.source for flow in flows]
    if not virtual:
        return await _observe(sources, seconds, title)
    backend, options = virtual_time("asyncio")
    observe = partial(_observe, sources, seconds, title)
    run = partial(anyio.run, observe, backend=backend, backend_options=dict(options))
    # Neither the scope nor the event loop of the caller is there.
    return await to_thread.run_sync(lambda: Context().run(run), abandon_on_cancel=True)


async def _observe(sources: list[Source[Any]], seconds: float, title: str) -> MarbleDrawing:
    clock = Clock(seconds)
    probes = Probes(clock)
    probed = [probes.probe(source) for source in sources]
    with clock.scope:
        async with anyio.create_task_group() as group:
            for source in probed:
                group.start_soon(_collect, source)
    return MarbleDrawing(tuple(track.row() for track in probes.tracks), clock.now(), title)


async def _collect(source: Source[Any]) -> None:
    try:
        await source.collect(lambda _value: None)
    except Exception:  # it is in the drawing
        return


@frozen
class MarbleDrawing:
    """What happened in flows, stage by stage; made by `marble`. A notebook shows the picture, a terminal the text.

    Attributes:
        rows: What each stage did, from the source down: its name, its marks and what waited in it.
        duration: How many seconds were observed.
        title: What the picture says above the rows.

    >>> drawing = await marble(flow_of(1, 2).take(1))
    >>> [row.name for row in drawing.rows]
    ['as_flow', '.take(1)']
    """

    rows: tuple[Row, ...]
    duration: float
    title: str = ""

    def __str__(self) -> str:
        return text_of(self.rows, self.duration)

    def __repr__(self) -> str:
        return str(self)

    def svg(self) -> str:
        """Give the picture, as SVG that can be put into a page or a file.

        Law: the same events give the same picture. It needs no script, font or style sheet, and is readable in light and dark.

        >>> (await marble(flow_of("a"))).svg()[:4]
        '<svg'
        """
        return svg_of(self.rows, self.duration, self.title)

    def _repr_svg_(self) -> str:
        return self.svg()
