"""Numbers of a running app, for whoever scrapes or exports them: `flowsock.metrics.prometheus`, `flowsock.metrics.otel`."""

from flowsock.metrics.loop_lag import LoopLag
from flowsock.metrics.measurement import Kind, Measurement, Sample
from flowsock.metrics.metrics import Metrics

__all__ = ("Kind", "LoopLag", "Measurement", "Metrics", "Sample")
