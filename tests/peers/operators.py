"""Our operators and what reactivex has for them, in one table, with every difference that is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import reactivex
from attrs import frozen
from reactivex import operators as rx

from flowsock import Flow, as_flow, combine, merge
from flowsock.testing import Complete, Error, Item, Timed, Timeline, marbles
from tests.peers.observables import Make

Accounts: TypeAlias = Callable[[Timeline[Any], Timeline[Any], Sequence[Timeline[Any]]], bool]


@frozen
class Difference:
    """Where we do not do what reactivex does, and mean it.

    Attributes:
        reason: Why.
        example: Lines on which it shows.
        accounts: Tells whether it is all there is between ours and theirs, given the sources.
    """

    reason: str
    example: tuple[str, ...]
    accounts: Accounts


@frozen
class Peer:
    """One operator.

    Attributes:
        name: What it is called here.
        ours: Applies it to one or two flows.
        theirs: Applies reactivex's to as many observables.
        sources: How many.
        difference: What is known to differ.
    """

    name: str
    ours: Callable[..., Flow[Any]]
    theirs: Make
    sources: int = 1
    difference: Difference | None = None


def items(timeline: Timeline[Any]) -> list[Timed[Any]]:
    return [timed for timed in timeline.events if isinstance(timed.event, Item)]


def ends(timeline: Timeline[Any]) -> list[Timed[Any]]:
    return [timed for timed in timeline.events if not isinstance(timed.event, Item)]


# Differences


def the_seed_comes_first(ours: Timeline[Any], theirs: Timeline[Any], _sources: object) -> bool:
    return ours.events == (Timed(0, Item(0)), *theirs.events)


def what_is_left_is_dropped(ours: Timeline[Any], theirs: Timeline[Any], sources: Sequence[Timeline[Any]]) -> bool:
    [source] = sources
    return ends(ours) == ends(source) and items(ours) == [timed for timed in items(theirs) if timed.at <= source.duration]


def chunks_have_the_same_values(ours: Timeline[Any], theirs: Timeline[Any], _sources: object) -> bool:
    mine, others = ([value for timed in items(each) for value in timed.event.value] for each in (ours, theirs))  # type: ignore[union-attr]
    if not isinstance(ours.end, Error):
        return mine == others and all(timed.event.value for timed in items(ours))  # type: ignore[union-attr]
    shorter = min(len(mine), len(others))
    return mine[:shorter] == others[:shorter] and ends(ours) == ends(theirs)


def the_error_waits_for_the_inner_flow(ours: Timeline[Any], theirs: Timeline[Any], sources: Sequence[Timeline[Any]]) -> bool:
    [source] = sources
    [early], [late] = ends(theirs), ends(ours)
    return (
        isinstance(source.end, Error)
        and items(ours)[: len(items(theirs))] == items(theirs)
        and early.event == late.event
        and early.at < late.at
    )


def the_other_flow_is_waited_for(ours: Timeline[Any], theirs: Timeline[Any], sources: Sequence[Timeline[Any]]) -> bool:
    never = any(isinstance(source.end, Complete) and not items(source) for source in sources)
    return never and items(ours) == items(theirs) == [] and isinstance(theirs.end, Complete)


def the_error_is_not_asked_for(ours: Timeline[Any], theirs: Timeline[Any], sources: Sequence[Timeline[Any]]) -> bool:
    failing = any(isinstance(source.end, Error) for source in sources)
    common = items(ours)[: len(items(theirs))]
    return failing and common == items(theirs) and isinstance(theirs.end, Error) and ours.duration > theirs.duration


# Operators

_STEP = 0.73  # no inner flow does anything in the same instant as a source


def inner(value: Any) -> Flow[Any]:
    return marbles(f"-{value}-{value}|", tick=_STEP)


def inner_observable(value: Any) -> reactivex.Observable[Any]:
    def after(steps: int) -> reactivex.Observable[Any]:
        return reactivex.timer(steps * _STEP).pipe(rx.map(lambda _tick: value))

    return after(1).pipe(rx.concat(after(2), after(1).pipe(rx.ignore_elements())))


def piped(*operators: Callable[[], Any]) -> Make:
    """Make the operators anew for each subscription: some of reactivex's keep a state."""
    return lambda source: source.pipe(*(make() for make in operators))


PEERS = (
    Peer("map", lambda flow: flow.map(lambda value: value * 2), piped(lambda: rx.map(lambda value: value * 2))),
    Peer("map, failing", lambda flow: flow.map(lambda value: 6 // (value - 3)), piped(lambda: rx.map(lambda v: 6 // (v - 3)))),
    Peer("filter", lambda flow: flow.filter(lambda value: value % 2), piped(lambda: rx.filter(lambda value: value % 2))),
    Peer("with_index", lambda flow: flow.with_index(), piped(lambda: rx.map_indexed(lambda value, index: (index, value)))),
    Peer("pairwise", lambda flow: flow.pairwise(), piped(lambda: rx.pairwise())),
    Peer("start_with", lambda flow: flow.start_with(8, 9), piped(lambda: rx.start_with(8, 9))),
    Peer(
        "scan",
        lambda flow: flow.scan(0, lambda total, value: total + value),
        piped(lambda: rx.scan(lambda total, value: total + value, 0)),
        difference=Difference("Kotlin's scan emits the initial value, theirs does not.", ("1-2-|",), the_seed_comes_first),
    ),
    Peer(
        "running_reduce",
        lambda flow: flow.running_reduce(lambda total, value: total + value),
        piped(lambda: rx.scan(lambda total, value: total + value)),
    ),
    Peer("distinct_until_changed", lambda flow: flow.distinct_until_changed(), piped(lambda: rx.distinct_until_changed())),
    Peer(
        "distinct_until_changed_by",
        lambda flow: flow.distinct_until_changed_by(lambda value: value // 2),
        piped(lambda: rx.distinct_until_changed(lambda value: value // 2)),
    ),
    Peer("chunked", lambda flow: flow.chunked(2), piped(lambda: rx.buffer_with_count(2))),
    Peer(
        "chunked, in time",
        lambda flow: flow.chunked(2, within=2.7),
        piped(lambda: rx.buffer_with_time_or_count(2.7, 2)),
        difference=Difference(
            "Our time starts with a chunk's first value, and no chunk is empty; theirs starts where the last chunk ended.",
            ("--1---2-|",),
            chunks_have_the_same_values,
        ),
    ),
    Peer("take", lambda flow: flow.take(2), piped(lambda: rx.take(2))),
    Peer("take_while", lambda flow: flow.take_while(lambda v: v < 4), piped(lambda: rx.take_while(lambda v: v < 4))),
    Peer("drop", lambda flow: flow.drop(2), piped(lambda: rx.skip(2))),
    Peer("drop_while", lambda flow: flow.drop_while(lambda v: v < 4), piped(lambda: rx.skip_while(lambda v: v < 4))),
    Peer("debounce", lambda flow: flow.debounce(2.5), piped(lambda: rx.debounce(2.5))),
    Peer(
        "sample",
        lambda flow: flow.sample(2.7),
        piped(lambda: rx.sample(2.7)),
        difference=Difference(
            "Kotlin's sample completes with its source, and drops the value not yet emitted; theirs lives up to the next tick.",
            ("-1-|",),
            what_is_left_is_dropped,
        ),
    ),
    Peer("throttle_first", lambda flow: flow.throttle_first(2.5), piped(lambda: rx.throttle_first(2.5))),
    Peer("timeout", lambda flow: flow.timeout(2.5), piped(lambda: rx.timeout(2.5))),
    Peer("on_empty", lambda flow: flow.on_empty(lambda emit: emit(7)), piped(lambda: rx.default_if_empty(7))),
    Peer("catch", lambda flow: flow.catch(lambda emit, _error: emit(7)), piped(lambda: rx.catch(reactivex.just(7)))),
    Peer("retry", lambda flow: flow.retry(attempts=1), piped(lambda: rx.retry(2))),
    Peer("flat_map_merge", lambda flow: flow.flat_map_merge(inner), piped(lambda: rx.flat_map(inner_observable))),
    Peer("flat_map_latest", lambda flow: flow.flat_map_latest(inner), piped(lambda: rx.flat_map_latest(inner_observable))),
    Peer(
        "flat_map_concat",
        lambda flow: flow.flat_map_concat(inner),
        piped(lambda: rx.concat_map(inner_observable)),
        difference=Difference(
            "Our source waits while an inner flow runs, and so does its error; theirs breaks the inner one off.",
            ("1-#",),
            the_error_waits_for_the_inner_flow,
        ),
    ),
    Peer("merge", merge, reactivex.merge, sources=2),
    Peer(
        "combine",
        lambda first, second: combine(first, second, lambda a, b: (a, b)),
        reactivex.combine_latest,
        sources=2,
        difference=Difference(
            "Kotlin's combine completes when all sources completed, theirs as soon as nothing can come any more.",
            ("|", "-1-|"),
            the_other_flow_is_waited_for,
        ),
    ),
    Peer(
        "zip_with",
        lambda first, second: first.zip_with(second),
        reactivex.zip,
        sources=2,
        difference=Difference(
            "Our zip has each source wait for the other, so one that waits cannot fail; their sources run on.",
            ("1-2-#", "-3---|"),
            the_error_is_not_asked_for,
        ),
    ),
    Peer("first", lambda flow: as_flow(flow.first), piped(lambda: rx.first())),
    Peer(
        "first, or",
        lambda flow: as_flow(lambda: flow.first(lambda v: v > 3, default=0)),
        piped(lambda: rx.first_or_default(lambda v: v > 3, 0)),
    ),
    Peer("last", lambda flow: as_flow(flow.last), piped(lambda: rx.last())),
    Peer("single", lambda flow: as_flow(flow.single), piped(lambda: rx.single())),
    Peer("count", lambda flow: as_flow(flow.count), piped(lambda: rx.count())),
    Peer("to_list", lambda flow: as_flow(flow.to_list), piped(lambda: rx.to_list())),
    Peer("to_set", lambda flow: as_flow(flow.to_set), piped(lambda: rx.to_set())),
    Peer(
        "to_dict",
        lambda flow: as_flow(lambda: flow.to_dict(lambda value: (value % 2, value))),
        piped(lambda: rx.to_dict(lambda value: value % 2, lambda value: value)),
    ),
    Peer(
        "fold", lambda flow: as_flow(lambda: flow.fold(0, lambda a, b: a + b)), piped(lambda: rx.reduce(lambda a, b: a + b, 0))
    ),
    Peer("reduce", lambda flow: as_flow(lambda: flow.reduce(lambda a, b: a + b)), piped(lambda: rx.reduce(lambda a, b: a + b))),
    Peer("any", lambda flow: as_flow(lambda: flow.any(lambda v: v > 4)), piped(lambda: rx.some(lambda v: v > 4))),
    Peer("all", lambda flow: as_flow(lambda: flow.all(lambda v: v < 4)), piped(lambda: rx.all(lambda v: v < 4))),
)
