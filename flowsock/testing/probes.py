"""The same pipeline again, with a track at each of its stages."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, TypeGuard

from flowsock.channels.channel import Channel
from flowsock.emitting import settle
from flowsock.flows.flow import Flow
from flowsock.flows.operators.buffering import Buffered, Channeled, Subscribed
from flowsock.flows.operators.combining import Merge
from flowsock.flows.operators.flattening import FlatMapConcat, FlatMapMerge
from flowsock.flows.operators.handling import OnSubscription
from flowsock.flows.operators.transform import Scan
from flowsock.flows.queued import QueuedSubscriber
from flowsock.flows.source import HotSource, Source, Staged, Wrapper, with_stage
from flowsock.flows.steps import Steps
from flowsock.testing.stage_names import fields_of, name_of_operator, name_of_root, name_of_stage, name_of_step
from flowsock.testing.tracks import Passage, Track, exit_of_a_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flowsock.channels.capacity import BufferOverflow
    from flowsock.emitting import Emit
    from flowsock.flows.source import Stage
    from flowsock.flows.subscriber import Subscriber
    from flowsock.testing.tracks import Clock


class Probes:
    """The tracks of one observation, in the order in which they are drawn."""

    __slots__ = ("_clock", "tracks")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.tracks: list[Track] = []

    def probe(self, source: Source[Any]) -> Source[Any]:
        """Give a source that does the same, and writes down what happens at each stage."""
        return _Ending(*self._staged(source))

    def _track(self, name: str) -> Track:
        self.tracks.append(Track(name, self._clock))
        return self.tracks[-1]

    def _staged(self, source: Source[Any]) -> tuple[Source[Any], list[Track]]:
        """Put tracks between the stages of a source, and above them; they do not see the end by themselves."""
        if not isinstance(source, Staged):
            return self._root(source)
        probed, tracks = self._root(source.root)
        for name, stage in _parts(source.stages):
            track = self._track(name)
            tracks.append(track)
            probed = with_stage(with_stage(probed, stage), Wrapper(track.stage))
        return probed, tracks

    def _root(self, root: Source[Any]) -> tuple[Source[Any], list[Track]]:
        """Rebuild what no stage is, over sources with tracks; give the tracks that end together with it."""
        if isinstance(root, Subscribed | Buffered):
            return self._buffer(root)
        if isinstance(root, Merge):
            return self._merge(root)
        probed, upstreams = self._rebuilt(root)
        track = self._track(name_of_operator(root) if upstreams else name_of_root(root))
        if isinstance(probed, FlatMapConcat | FlatMapMerge):
            probed.function = self._inner(probed.function, track)
        return with_stage(probed, Wrapper(track.stage)), [track]

    def _rebuilt(self, root: Source[Any]) -> tuple[Source[Any], bool]:
        """Copy an operator with probed upstreams; tell whether there are any."""
        if isinstance(root, HotSource | OnSubscription):
            return root, False
        probed, upstreams = copy(root), False
        for name, value in fields_of(root):
            if _is_source(value):
                upstreams = True
                setattr(probed, name, self._upstream(root, value))
            elif name == "upstreams":
                upstreams = True
                setattr(probed, name, [self.probe(each) for each in value])
        return probed, upstreams

    def _upstream(self, operator: Source[Any], upstream: Source[Any]) -> Source[Any]:
        if isinstance(operator, Scan) and isinstance(upstream, Staged):
            # Its own last stage is no operator that anybody wrote.
            *others, own = upstream.stages
            return with_stage(self.probe(Staged(upstream.root, tuple(others)) if others else upstream.root), own)
        return self.probe(upstream)

    def _buffer(self, buffer: Buffered) -> tuple[Source[Any], list[Track]]:
        upstream, above = self._staged(buffer.upstream)
        subscribed = isinstance(buffer, Subscribed)
        if not subscribed:
            upstream, above = _Ending(upstream, above), []
        track = self._track(name_of_operator(buffer))
        probed = (_WatchedSubscribed if subscribed else _WatchedBuffered)(
            with_stage(upstream, Wrapper(track.entrance)), buffer.capacity, buffer.overflow
        )
        return _out_of(probed, track), [*above, track]

    def _merge(self, merge: Merge) -> tuple[Source[Any], list[Track]]:
        upstreams = [self.probe(each) for each in merge.upstreams]
        track = self._track(name_of_operator(merge))
        entered = [with_stage(each, Wrapper(track.entrance)) for each in upstreams]
        return _out_of(_WatchedMerge(entered, merge.capacity, merge.overflow), track), [track]

    def _inner(self, function: Callable[[Any], Any], outer: Track) -> Callable[[Any], Any]:
        """Draw the flows that are made while the pipeline runs, above the one that they become."""

        async def make(value: Any) -> Any:
            made: object = await settle(function(value))
            if not _is_flow(made):
                return made
            inner = Probes(self._clock)
            probed: Flow[Any] = Flow(inner.probe(made.source))
            place = self.tracks.index(outer)
            self.tracks[place:place] = inner.tracks
            return probed

        return make


class _Ending(Source[Any]):
    """A probed source, which tells its tracks how it ended."""

    __slots__ = ("_probed", "_tracks")

    def __init__(self, probed: Source[Any], tracks: list[Track]) -> None:
        self._probed = probed
        self._tracks = tracks

    @property
    def is_concurrent(self) -> bool:
        return self._probed.is_concurrent

    async def collect(self, emit: Emit[Any]) -> None:
        for track in self._tracks:
            track.begin()
        ending: BaseException | None = None
        try:
            await self._probed.collect(emit)
        except BaseException as error:
            ending = error
            raise
        finally:
            left = False
            for track in reversed(self._tracks):
                # A buffer lies between some of them, and keeps errors from passing.
                left = left or track.failed_below
                track.end(ending, left=left)


def _watched_channel(capacity: int, overflow: BufferOverflow) -> Channel[Any]:
    """Make a channel that says what it drops."""
    return Channel(capacity, on_buffer_overflow=overflow, on_undelivered=Passage.drop)


class _Watched(Channeled[Any]):
    __slots__ = ()

    def new_channel(self) -> Channel[Any]:
        return _watched_channel(self.capacity, self.overflow)


class _WatchedBuffered(_Watched, Buffered):
    __slots__ = ()


class _WatchedMerge(_Watched, Merge):
    __slots__ = ()


class _WatchedSubscriber(QueuedSubscriber[Any]):
    __slots__ = ()

    def new_queue(self, capacity: int, overflow: BufferOverflow) -> Channel[Any]:
        return _watched_channel(capacity, overflow)


class _WatchedSubscribed(Subscribed):
    __slots__ = ()

    def subscribe(self, emit: Emit[Any]) -> Subscriber[Any]:
        return _WatchedSubscriber(emit, self._hot, self._chain, self.capacity, self.overflow)


def _is_source(value: object) -> TypeGuard[Source[Any]]:
    return isinstance(value, Source)


def _is_flow(value: object) -> TypeGuard[Flow[Any]]:
    return isinstance(value, Flow)


def _out_of(buffer: Source[Any], track: Track) -> Source[Any]:
    return with_stage(with_stage(buffer, Wrapper(exit_of_a_buffer)), Wrapper(track.stage))


def _parts(stages: Sequence[Stage]) -> Iterator[tuple[str, Stage]]:
    """Take stages apart: of steps that follow each other, each is one."""
    for stage in stages:
        if isinstance(stage, Steps):
            yield from ((name_of_step(step), Steps((step,))) for step in stage.steps)
        else:
            yield name_of_stage(stage), stage
