"""The numbers of an app in Prometheus's format (extra: ``prometheus``).

Whatever scrapes looks at what is counted anyway; between two scrapes nothing is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from flowsock.metrics.measurement import Kind
from flowsock.wire.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

    from flowsock.metrics.measurement import Measurement
    from flowsock.metrics.metrics import Metrics

__all__ = ("MetricsCollector", "metrics_page")

_UNITS: Final = {"s": "_seconds", "By": "_bytes", "": ""}


class MetricsCollector(Collector):
    """Give a registry of prometheus-client the numbers of an app: ``REGISTRY.register(MetricsCollector(metrics))``.

    Names are those in `flowsock.metrics.measurements`, with the unit: ``flowsock_sessions_open``,
    ``flowsock_wire_sent_bytes_total``.

    Law: each scrape reads once.

    >>> collector = MetricsCollector(Metrics(App()))
    >>> next(iter(collector.collect())).name
    'flowsock_sessions_open'
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Read the numbers."""
        return [_family(each) for each in self._metrics.read()]

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: a registry asks for that before there are numbers."""
        return []


def _family(measurement: Measurement) -> Metric:
    name = f"flowsock_{measurement.name.replace('.', '_')}{_UNITS[measurement.unit]}"
    labels = list(measurement.samples[0].labels) if measurement.samples else []
    kind = CounterMetricFamily if measurement.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(name, measurement.description, labels=labels)
    for sample in measurement.samples:
        family.add_metric([sample.labels[label] for label in labels], sample.value)
    return family


def metrics_page(metrics: Metrics, registry: CollectorRegistry | None = None) -> Callable[[], Response]:
    """Make the handler of a page to scrape: ``app.get("/metrics")(metrics_page(metrics))``.

    Args:
        metrics: The numbers.
        registry: Where your own metrics are, to be on the page too; without, the process's own are.

    Law: each request reads once.

    >>> page = metrics_page(Metrics(App()))
    >>> b"flowsock_sessions_open 0.0" in page().body
    True
    """
    if registry is None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
    registry.register(MetricsCollector(metrics))
    place = registry

    def page() -> Response:
        headers = {"content-type": CONTENT_TYPE_LATEST, "cache-control": "no-store"}
        return Response(200, headers, generate_latest(place))

    return page
