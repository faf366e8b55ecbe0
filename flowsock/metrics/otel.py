"""The numbers of an app as OpenTelemetry's instruments (extra: ``otel``).

They are observable: whatever exports looks at what is counted anyway, and between two exports nothing is done.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import Observation, get_meter

from flowsock.metrics.measurement import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.metrics import CallbackOptions, Meter

    from flowsock.metrics.measurement import Sample
    from flowsock.metrics.metrics import Metrics

__all__ = ("observe_metrics",)

_FRESH: Final = 0.2
"""Seconds within which the callbacks of one export follow each other."""


def observe_metrics(metrics: Metrics, meter: Meter | None = None) -> None:
    """Make an instrument of each number: ``flowsock.sessions.open``, ``flowsock.messages.sent``, …

    Args:
        metrics: The numbers; flows and channels that get a name later have no instrument.
        meter: Makes the instruments, if not the global provider's.

    Law: all instruments of one export show the same moment.

    >>> observe_metrics(Metrics(App()))
    """
    meter = meter or get_meter("flowsock")
    reading = _Reading(metrics)
    makers = {
        Kind.COUNTER: meter.create_observable_counter,
        Kind.LEVEL: meter.create_observable_up_down_counter,
        Kind.GAUGE: meter.create_observable_gauge,
    }
    for each in metrics.read():
        observed = partial(reading.observe, each.name)
        makers[each.kind](f"flowsock.{each.name}", callbacks=[observed], unit=each.unit, description=each.description)


class _Reading:
    """Read once for all instruments of an export."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._samples: dict[str, tuple[Sample, ...]] = {}
        self._read_at = float("-inf")

    def observe(self, name: str, _options: CallbackOptions) -> Sequence[Observation]:
        now = monotonic()
        if now - self._read_at > _FRESH:
            self._samples = {each.name: each.samples for each in self._metrics.read()}
            self._read_at = now
        return [Observation(sample.value, dict(sample.labels)) for sample in self._samples.get(name, ())]
