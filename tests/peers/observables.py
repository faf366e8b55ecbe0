"""Running observables of reactivex on its virtual time, from and into the timelines that our flows have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from reactivex import Observable
from reactivex.notification import Notification, OnCompleted, OnError, OnNext
from reactivex.testing import Recorded, TestScheduler

from flowsock.testing import Complete, Error, Item, Timed, Timeline

Make: TypeAlias = Callable[..., Observable[Any]]

_SUBSCRIBED = 1.0


def observe_peer(make: Make, sources: Sequence[Timeline[Any]], ticks: float) -> Timeline[Any]:
    """Make an observable of cold ones, subscribe to it, and give what happens and when."""
    scheduler = TestScheduler()
    observer = scheduler.start(
        lambda: make(*(_cold(scheduler, source) for source in sources)),
        created=_SUBSCRIBED / 2,
        subscribed=_SUBSCRIBED,
        disposed=_SUBSCRIBED + ticks,
    )
    timeline = Timeline(tuple(_timed(message) for message in observer.messages), ticks)
    return Timeline(timeline.events, timeline.events[-1].at) if timeline.end else timeline


def _cold(scheduler: TestScheduler, timeline: Timeline[Any]) -> Observable[Any]:
    return scheduler.create_cold_observable([_recorded(timed) for timed in timeline.events])


def _recorded(timed: Timed[Any]) -> Recorded[Any]:
    return Recorded(int(timed.at), _notification(timed.event))


def _notification(event: object) -> Notification[Any]:
    if isinstance(event, Item):
        return OnNext(event.value)
    return OnError(event.error) if isinstance(event, Error) else OnCompleted()


def _timed(message: Any) -> Timed[Any]:
    at, notification = round(message.time - _SUBSCRIBED, 6), message.value
    if isinstance(notification, OnNext):
        return Timed(at, Item(notification.value))
    return Timed(at, Error(notification.exception) if isinstance(notification, OnError) else Complete())
