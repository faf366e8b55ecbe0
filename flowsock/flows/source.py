"""What every flow rests on: something that can be collected by an emit function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from anyio.lowlevel import checkpoint_if_cancelled
from attrs import frozen

from flowsock.errors import Cancellation
from flowsock.flows.steps import MOST_STEPS, Steps
from flowsock.flows.subscriber import Subscriber
from flowsock.scopes.groups import Stop, collapse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from flowsock.emitting import Emit
    from flowsock.flows.steps import Step

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(ABC, Generic[T_co]):
    """Can be collected, once or many times.

    Law: `collect` returns when the source has no more values. It awaits what ``emit`` returned, if that can be awaited, before
    it emits again, and lets what ``emit`` raised pass. It emits from the task that collects, or, in a hot source, from the
    task of the emitter as long as the collector is idle.
    """

    __slots__ = ()

    concurrent: ClassVar[bool] = False
    """Whether collecting runs tasks of its own, so that it must not be suspended half-way by an iterating caller."""

    @abstractmethod
    def collect(self, emit: Emit[Any]) -> Coroutine[Any, Any, None]:
        """Give every value to ``emit``."""

    def collect_through(self, steps: Steps, emit: Emit[Any]) -> Coroutine[Any, Any, None]:
        """Collect with steps above the emit function; a source whose loop can be compiled together with them does that."""
        return self.collect(steps.wrap(emit))

    @property
    def is_concurrent(self) -> bool:
        """Tell whether this source, or one below it, is `concurrent`."""
        return self.concurrent


class HotSource(Source[T_co]):
    """A source that lives without collectors and pushes to those it has."""

    __slots__ = ()

    direct: ClassVar[bool] = False
    """Whether an idle collector's chain runs in the emitter's task."""

    @abstractmethod
    def subscribe(self, emit: Emit[Any]) -> Subscriber[Any]:
        """Register a collector now; its `Subscriber.run` must then be awaited, in the collector's own task."""

    def collect(self, emit: Emit[Any]) -> Coroutine[Any, Any, None]:
        return Subscriber.deliver(self.subscribe, emit)


class Stage(Protocol):
    """One part of a pipeline that needs no coroutine of its own.

    Attributes:
        may_wait: Whether it is known to await something of its own (its callback is a coroutine function).
    """

    @property
    def may_wait(self) -> bool: ...

    def wrap(self, emit: Emit[Any], /) -> Emit[Any]:
        """Make the stage's emit function around the one below it, with fresh state for each collection."""
        ...


@frozen
class Wrapper:
    """A stage with state: a function around a function."""

    wrap: Callable[[Emit[Any]], Emit[Any]]
    may_wait: bool = False


class Staged(Source[T_co]):
    """A source below any number of stages: still one coroutine, however long the pipeline."""

    __slots__ = ("root", "stages")

    def __init__(self, root: Source[Any], stages: tuple[Stage, ...]) -> None:
        self.root = root
        self.stages = stages

    def chain(self, emit: Emit[Any]) -> Emit[Any]:
        """Put the stages above an emit function."""
        return _chain(self.stages, emit)

    def collect(self, emit: Emit[Any]) -> Coroutine[Any, Any, None]:
        first, *others = self.stages
        if isinstance(first, Steps):
            return self.root.collect_through(first, _chain(others, emit))
        return self.root.collect(self.chain(emit))

    @property
    def is_concurrent(self) -> bool:
        return self.root.is_concurrent


def _chain(stages: Sequence[Stage], emit: Emit[Any]) -> Emit[Any]:
    for stage in reversed(stages):
        emit = stage.wrap(emit)
    return emit


def staged(source: Source[Any], wrap: Callable[[Emit[Any]], Emit[Any]], *, may_wait: bool = False) -> Source[Any]:
    """Add a stage with state to a source."""
    return with_stage(source, Wrapper(wrap, may_wait))


def stepped(source: Source[Any], step: Step) -> Source[Any]:
    """Add a step to a source: to the steps that are at its end already, if any."""
    if isinstance(source, Staged):
        *stages, last = source.stages
        if isinstance(last, Steps) and len(last.steps) < MOST_STEPS:
            return Staged(source.root, (*stages, Steps((*last.steps, step))))
    return with_stage(source, Steps((step,)))


def with_stage(source: Source[Any], stage: Stage) -> Source[Any]:
    """Add a stage to a source."""
    if isinstance(source, Staged):
        return Staged(source.root, (*source.stages, stage))
    return Staged(source, (stage,))


class Operator(Source[T_co]):
    """A source that collects another one in its own way."""

    __slots__ = ("upstream",)

    def __init__(self, upstream: Source[Any]) -> None:
        self.upstream = upstream

    @property
    def is_concurrent(self) -> bool:
        return self.concurrent or self.upstream.is_concurrent


async def collect_alone(source: Source[Any], emit: Emit[Any]) -> None:
    """Collect beside others: a `Cancellation` of something that the source waited for ends it alone, as it would end a job."""
    with suppress(Cancellation):
        await source.collect(emit)


async def collect_until(upstream: Source[Any], make_emit: Callable[[Stop], Emit[Any]]) -> bool:
    """Collect until the emit function raises the stop it was made with; tell whether it did."""
    stop = Stop()
    try:
        await upstream.collect(make_emit(stop))
    except (Stop, BaseExceptionGroup) as raised:
        # A user's task group on the way wraps what passes through it.
        if raised is not stop and not (isinstance(raised, BaseExceptionGroup) and collapse(raised) is stop):
            raise
        return True
    return False


async def collect_while(upstream: Source[Any], make_emit: Callable[[Stop], Emit[Any]]) -> None:
    """Collect like `collect_until`; a stop does not hide that the collecting task was cancelled meanwhile."""
    if await collect_until(upstream, make_emit):
        await checkpoint_if_cancelled()
