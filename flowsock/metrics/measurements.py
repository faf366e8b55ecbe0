"""Statistics as measurements: every name that there is, on one page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flowsock.metrics.measurement import Kind, Measurement, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from flowsock.brokers.statistics import BrokerStatistics, TopicStatistics
    from flowsock.channels.statistics import ChannelStatistics
    from flowsock.flows.statistics import SharedFlowStatistics
    from flowsock.rooms.statistics import RoomsStatistics
    from flowsock.sessions.routes.app_statistics import AppStatistics
    from flowsock.sessions.server.server_statistics import ServerStatistics

    S = TypeVar("S")


def of_app(now: AppStatistics) -> Iterator[Measurement]:
    """Give what an app's statistics tell."""
    yield _level("sessions.open", "Open sessions.", now.sessions)
    yield _counter("sessions.opened", "Sessions that were opened.", now.opened)
    closed = tuple(Sample(count, {"code": str(code)}) for code, count in sorted(now.closed.items()))
    yield Measurement("sessions.closed", Kind.COUNTER, "", "Sessions that ended, by their close code.", closed)
    yield _counter("messages.received", "Whole messages from peers.", now.messages_received)
    yield _counter("messages.sent", "Whole messages to peers.", now.messages_sent)
    yield _counter("messages.dropped", "Messages lost to the policies for slow peers.", now.dropped)
    yield _counter("wire.received", "Bytes read from the connections of sessions.", now.bytes_received, "By")
    yield _counter("wire.sent", "Bytes written to the connections of sessions.", now.bytes_sent, "By")
    yield _level("messages.queued", "Messages that wait for handlers.", now.queued)
    yield _level("messages.unsent", "Messages that wait for slow peers.", now.unsent)
    yield _level("wire.unsent", "Bytes that wait for peers.", now.unsent_bytes, "By")
    pings = (("median", now.ping_round_trip), ("slowest", now.slowest_ping))
    trips = tuple(Sample(seconds, {"which": which}) for which, seconds in pings if seconds is not None)
    yield Measurement("ping.round_trip", Kind.GAUGE, "s", "Round trips of the last pings of the open sessions.", trips)
    yield from _of_streams(now)


def _of_streams(now: AppStatistics) -> Iterator[Measurement]:
    streams = now.streams
    yield _level("event_streams.open", "Open event streams.", streams.open)
    yield _counter("event_streams.opened", "Event streams that were opened.", streams.opened)
    yield _counter("events.sent", "Events and comments of handlers.", streams.events_sent)
    yield _counter("events.dropped", "Events lost to the policies for slow clients.", streams.dropped)
    yield _level("events.unsent", "Events that wait for slow clients.", streams.unsent)
    yield _counter("event_streams.sent", "Bytes of content of event streams.", streams.bytes_sent, "By")
    yield _level("event_streams.unsent", "Bytes that wait for clients of event streams.", streams.unsent_bytes, "By")


def of_servers(now: Sequence[ServerStatistics]) -> Iterator[Measurement]:
    """Give what the statistics of all servers of an app tell together."""
    yield _level("handshakes.open", "Connections that are no session yet.", sum(each.handshakes for each in now))
    answers: Counter[int] = Counter()
    for each in now:
        answers.update(each.answers)
    samples = tuple(Sample(count, {"status": str(status)}) for status, count in sorted(answers.items()))
    yield Measurement("answers", Kind.COUNTER, "", "Pages, and refusals, by their status.", samples)


def of_lag(seconds: float | None) -> Iterator[Measurement]:
    """Give how late an event loop was."""
    samples = () if seconds is None else (Sample(seconds),)
    yield Measurement("event_loop.lag", Kind.GAUGE, "s", "The longest time that a timer was late, lately.", samples)


def of_flows(now: Mapping[str, SharedFlowStatistics]) -> Iterator[Measurement]:
    """Give what the statistics of shared flows tell, by their names."""
    return _named(
        now,
        "flow",
        ("flow.emitted", Kind.COUNTER, "Values emitted.", lambda each: each.emitted),
        ("flow.dropped", Kind.COUNTER, "Values lost to the overflow policy.", lambda each: each.dropped),
        ("flow.collectors", Kind.LEVEL, "Collectors.", lambda each: each.collectors),
        ("flow.lag", Kind.GAUGE, "Values the slowest collector is behind.", lambda each: each.lag),
        ("flow.suspended", Kind.LEVEL, "Emitters that wait for the slowest.", lambda each: each.suspended),
    )


def of_topics(now: Mapping[str, TopicStatistics]) -> Iterator[Measurement]:
    """Give what the statistics of a broker's topics tell beyond those of other shared flows, by their names."""
    return _named(
        now,
        "flow",
        ("topic.received", Kind.COUNTER, "Messages from the broker.", lambda each: each.received),
        ("topic.duplicates", Kind.COUNTER, "Messages that came again.", lambda each: each.duplicates),
        ("topic.junk", Kind.COUNTER, "What was no message of the type.", lambda each: each.junk),
        ("topic.oversized", Kind.COUNTER, "Messages above the limit.", lambda each: each.oversized),
        ("topic.lost", Kind.COUNTER, "Messages known to be missing.", lambda each: each.lost),
        ("topic.gaps", Kind.COUNTER, "Times that messages were missing.", lambda each: each.gaps),
        ("topic.waiting", Kind.LEVEL, "Messages that wait for collectors.", lambda each: each.waiting),
    )


def of_brokers(now: Mapping[str, BrokerStatistics]) -> Iterator[Measurement]:
    """Give what the statistics of brokers tell, by their names."""
    return _named(
        now,
        "broker",
        ("broker.published", Kind.COUNTER, "Acknowledged messages.", lambda each: each.published),
        ("broker.refused", Kind.COUNTER, "Messages it did not want.", lambda each: each.refused),
        ("broker.dropped", Kind.COUNTER, "Messages lost to the policy.", lambda each: each.dropped),
        ("broker.waiting", Kind.LEVEL, "Messages not acknowledged.", lambda each: each.waiting),
        ("broker.connections", Kind.COUNTER, "Connections opened.", lambda each: each.connections),
    )


def of_rooms(now: Mapping[str, RoomsStatistics]) -> Iterator[Measurement]:
    """Give what the statistics of rooms tell, by the names of what they belong to together."""
    return _named(
        now,
        "rooms",
        ("rooms.open", Kind.LEVEL, "Rooms that somebody is in.", lambda each: each.rooms),
        ("rooms.users", Kind.LEVEL, "Users in rooms.", lambda each: each.users),
        ("rooms.members", Kind.LEVEL, "Sessions in rooms.", lambda each: each.members),
        ("rooms.lag", Kind.GAUGE, "Messages the slowest is behind.", lambda each: each.lag),
    )


def of_channels(now: Mapping[str, ChannelStatistics]) -> Iterator[Measurement]:
    """Give what the statistics of channels tell, by their names."""
    return _named(
        now,
        "channel",
        ("channel.size", Kind.LEVEL, "Values in the buffer.", lambda each: each.size),
        ("channel.senders", Kind.LEVEL, "Senders that wait.", lambda each: each.waiting_senders),
        ("channel.receivers", Kind.LEVEL, "Receivers that wait.", lambda each: each.waiting_receivers),
        ("channel.dropped", Kind.COUNTER, "Values lost to the policy.", lambda each: each.dropped),
    )


def _counter(name: str, description: str, value: float, unit: str = "") -> Measurement:
    return Measurement(name, Kind.COUNTER, unit, description, (Sample(value),))


def _level(name: str, description: str, value: float, unit: str = "") -> Measurement:
    return Measurement(name, Kind.LEVEL, unit, description, (Sample(value),))


def _named(now: Mapping[str, S], label: str, *rows: tuple[str, Kind, str, Callable[[S], float]]) -> Iterator[Measurement]:
    """Give a measurement for each row, with a sample for each name; without names there is nothing to tell."""
    for name, kind, description, value in rows if now else ():
        samples = tuple(Sample(value(each), {label: which}) for which, each in now.items())
        yield Measurement(name, kind, "", description, samples)
