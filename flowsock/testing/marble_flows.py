"""Flows that are played from a line of marbles, and flows that are compared with one."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import current_time, move_on_after, sleep_forever, sleep_until
from attrs import evolve

from flowsock.emitting import settle
from flowsock.flows.conflation import same_value
from flowsock.flows.flow import Flow
from flowsock.flows.source import Source
from flowsock.testing.events import Complete, Error, Item, Left
from flowsock.testing.notation import parse_marbles, render_marbles
from flowsock.testing.recordings import Recording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.emitting import Emit
    from flowsock.testing.events import Event
    from flowsock.testing.timelines import Timeline

T = TypeVar("T")


def marbles(
    line: str, *, values: Mapping[str, Any] | None = None, error: Exception | None = None, tick: float = 1.0
) -> MarbleFlow[Any]:
    """Make a cold flow that does what a line says, at the times it says: ``marbles("-a--b-|")``.

    Law: each collection plays the line from its start. A value that the collector was not ready for comes as soon as it is, and
    later ones at their own times again. A line without an end goes on, without a value, until the collector leaves.

    Args:
        line: What happens, in marble notation (see ``help(flowsock.testing.notation)``).
        values: What letters stand for, if not for themselves.
        error: What ``#`` raises; a `MarbleError` if left out.
        tick: Seconds that one character takes.

    Raises:
        ValueError: the line is not in marble notation, or ends with ``!``; or the tick is not above 0.

    >>> await marbles("-a--b|").map(str.upper).to_list()
    ['A', 'B']

        marbles("-a--b|")
        -a--b|
    """
    return MarbleFlow(_Played(parse_marbles(line, values=values, error=error), tick))


async def play(
    line: str, emit: Emit[Any], *, values: Mapping[str, Any] | None = None, error: Exception | None = None, tick: float = 1.0
) -> None:
    """Play a line into a hot flow or a channel: ``scope.launch(play, "-a--b-", shared.emit)``.

    Law: as for `marbles`, each emission is waited for. Returns when the line is over; ``#`` raises its error.

    Args:
        line: What happens, in marble notation.
        emit: What takes the values.
        values: What letters stand for, if not for themselves.
        error: What ``#`` raises; a `MarbleError` if left out.
        tick: Seconds that one character takes.

    Raises:
        ValueError: as for `marbles`.

    >>> shared = MutableSharedFlow()
    >>> async with coroutine_scope() as scope:
    ...     player = scope.launch(play, "-a--b-", shared.emit)
    ...     await shared.take(2).to_list()
    ['a', 'b']
    """
    await _Played(parse_marbles(line, values=values, error=error), tick).play(emit)


async def observe(flow: Flow[T], *, ticks: float = inf, tick: float = 1.0) -> Timeline[T]:
    """Collect a flow, and give what happened and when.

    Law: the flow is cancelled after so many ticks, if it has not ended before.

    Args:
        flow: What to collect.
        ticks: The longest observation.
        tick: Seconds of a tick.

    Raises:
        ValueError: the tick is not above 0.

    >>> render_marbles(await observe(interval(3), ticks=8))
    '---0--1-'
    """
    _check(tick)
    recording: Recording[T] = Recording(tick)
    # What happens at the end of the last tick is in the next one: a timer in its middle does not have to compete with that.
    with move_on_after((ticks - 0.5) * tick):
        try:
            await flow.source.collect(lambda value: recording.add(Item(value)))
            recording.add(Complete())
        except Exception as error:
            recording.add(Error(error))
    timeline = recording.timeline()
    return timeline if timeline.end else evolve(timeline, duration=ticks)


async def assert_marbles(
    flow: Flow[Any],
    line: str,
    *,
    values: Mapping[str, Any] | None = None,
    error: type[Exception] = Exception,
    tick: float = 1.0,
) -> None:
    """Collect a flow, and make sure that it does what a line says, at the times it says; for virtual time.

    Law: a line without an end is compared as far as it goes, and then the flow is cancelled.

    Args:
        flow: What to collect.
        line: What must happen, in marble notation (see ``help(flowsock.testing.notation)``).
        values: What letters stand for, if not for themselves.
        error: The class that the error of a ``#`` must be of.
        tick: Seconds that one character takes.

    Raises:
        AssertionError: something else happened, or at another time; the message shows both lines.
        ValueError: the line is not in marble notation, or the tick is not above 0.

    >>> await assert_marbles(interval(3).take(2), "---0--(1|)")
    >>> await assert_marbles(interval(3).take(2), "---0---(1|)")
    Traceback (most recent call last):
    AssertionError: expected ---0---(1|)
       found ---0--(1|)
    """
    expected = parse_marbles(line, values=values)
    # Where an end is expected, the message shows for a while what happened instead.
    found = await observe(flow, ticks=2 * expected.duration + 10 if expected.end else expected.duration, tick=tick)
    if not _agree(expected, found, error):
        raise _difference(expected, found, values, error)


class MarbleFlow(Flow[T]):
    """A flow made by `marbles`; it remembers its collections.

    Law: as for `marbles`.

    >>> source = marbles("-a-b-|")
    >>> await source.take(1).collect()
    >>> source.lines
    ['-(a!)']
    """

    __slots__ = ("_played",)

    def __init__(self, played: _Played[T]) -> None:
        super().__init__(played)
        self._played = played

    @property
    def collections(self) -> list[Timeline[T]]:
        """Give what happened in each collection until now; its last event is `Left` if the collector left.

        Law: they stand in the order in which they began. One that still runs has no end.

        >>> source = marbles("-a-b-|")
        >>> await source.take(1).collect()
        >>> source.collections[0].end
        Left()
        """
        return [recording.timeline() for recording in self._played.recordings]

    @property
    def lines(self) -> list[str]:
        """Draw the `collections`: ``assert source.lines == ["-a-!"]``.

        Law: as for `collections`; one that no line can show is told in words.

        >>> source = marbles("-a-b-|")
        >>> await source.map(str.upper).collect()
        >>> source.lines
        ['-a-b-|']
        """
        return [_drawn(timeline, None) for timeline in self.collections]


class _Played(Source[T]):
    """A timeline that happens once more in each collection."""

    __slots__ = ("_tick", "_timeline", "recordings")

    def __init__(self, timeline: Timeline[T], tick: float) -> None:
        if isinstance(timeline.end, Left):
            raise ValueError("the collector's leaving, !, is nothing that a flow can do")
        _check(tick)
        self._timeline = timeline
        self._tick = tick
        self.recordings: list[Recording[T]] = []

    async def collect(self, emit: Emit[T]) -> None:
        recording: Recording[T] = Recording(self._tick)
        self.recordings.append(recording)
        end: Event[T] | Left = Left()

        def recorded(value: T) -> object:
            recording.add(Item(value))
            return emit(value)

        try:
            await self.play(recorded)
            if self._timeline.end is None:
                await sleep_forever()
            end = Complete()
        except Exception as error:
            own = self._timeline.end
            end = own if isinstance(own, Error) and own.error is error else end
            raise
        finally:
            recording.add(end)

    async def play(self, emit: Emit[T]) -> None:
        """Make the events happen at their times, and wait for the end of the line."""
        start = current_time()
        for timed in self._timeline.events:
            await self._wait(start, timed.at)
            if isinstance(timed.event, Item):
                await settle(emit(timed.event.value))
            elif isinstance(timed.event, Error):
                raise timed.event.error.with_traceback(None)
        await self._wait(start, self._timeline.duration)

    async def _wait(self, start: float, ticks: float) -> None:
        # Events of one instant follow each other without a turn for others.
        if current_time() < start + ticks * self._tick:
            await sleep_until(start + ticks * self._tick)


def _check(tick: float) -> None:
    if not tick > 0:
        raise ValueError(f"a tick must take more than 0 s, not {tick}")


def _agree(expected: Timeline[Any], found: Timeline[Any], kind: type[Exception]) -> bool:
    if len(expected.events) != len(found.events) or (expected.end is None) is not (found.end is None):
        return False
    return all(
        wanted.at == seen.at and _same(wanted.event, seen.event, kind)
        for wanted, seen in zip(expected.events, found.events, strict=True)
    )


def _same(wanted: Event[Any] | Left, seen: Event[Any] | Left, kind: type[Exception]) -> bool:
    if isinstance(wanted, Item) and isinstance(seen, Item):
        return same_value(wanted.value, seen.value)
    if isinstance(wanted, Error) and isinstance(seen, Error):
        return isinstance(seen.error, kind)
    return wanted == seen


def _difference(
    expected: Timeline[Any], found: Timeline[Any], values: Mapping[str, Any] | None, kind: type[Exception]
) -> AssertionError:
    wanted, seen = _drawn(expected, values), _drawn(found, values)
    if isinstance(expected.end, Error) and isinstance(found.end, Error):
        wanted, seen = f"{wanted} {kind.__name__}", f"{seen} {found.end.error!r}"
    difference = AssertionError(f"expected {wanted}\n   found {seen}")
    difference.__cause__ = found.end.error if isinstance(found.end, Error) else None
    if any(timed.at % 1 for timed in found.events):
        difference.add_note("events between two ticks: on real time use virtual time, on virtual time a smaller tick")
    return difference


def _drawn(timeline: Timeline[Any], values: Mapping[str, Any] | None) -> str:
    try:
        return render_marbles(timeline, values=values)
    except ValueError:
        return str(timeline)
