"""The figures of `/metrics`, pushed to a collector where one is named: same names, same values.

They are counted by prometheus_client alone. OpenTelemetry's reader says when to push and its
exporter how; between the two each push is given what the registry holds at that moment.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import CollectorRegistry
from prometheus_client.samples import Sample

_SCOPE: Final = InstrumentationScope("trunkline")
_FLUSH_MILLIS: Final = 3_000
_BEGAN: Final = time.time_ns()

Labels = tuple[tuple[str, str], ...]


class RegistryExporter(MetricExporter):
    """Hands on what it is given, and with it everything in the registry."""

    def __init__(self, exporter: MetricExporter, resource: Resource) -> None:
        super().__init__()
        self._exporter = exporter
        self._resource = resource

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        ours = ResourceMetrics(
            self._resource, [ScopeMetrics(_SCOPE, list(figures(REGISTRY)), "")], ""
        )
        whole = MetricsData([*metrics_data.resource_metrics, ours])
        return self._exporter.export(whole, timeout_millis=timeout_millis, **kwargs)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._exporter.shutdown(timeout_millis=timeout_millis, **kwargs)


def setup_metrics(resource: Resource) -> None:
    """Push from now on, as often as OTEL_METRIC_EXPORT_INTERVAL says."""
    # Here for the same reason as that of the spans: it is slow to import.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    exporter = RegistryExporter(OTLPMetricExporter(timeout=5), resource)
    reader = PeriodicExportingMetricReader(exporter)
    provider = MeterProvider([reader], resource)
    # A reader that has nothing of its own to tell pushes nothing at all.
    provider.get_meter("trunkline").create_observable_gauge("process.uptime", [_uptime], "s")
    metrics.set_meter_provider(provider)


def flush_metrics() -> None:
    """Push once more; bounded, because a collector may be away."""
    provider = metrics.get_meter_provider()
    if isinstance(provider, MeterProvider):
        provider.shutdown(_FLUSH_MILLIS)


def _uptime(_options: CallbackOptions) -> Iterable[Observation]:
    yield Observation((time.time_ns() - _BEGAN) / 1e9)


def figures(registry: CollectorRegistry) -> Iterator[Metric]:
    """Every figure of the registry as OpenTelemetry's data, since the start of this process."""
    now = time.time_ns()
    for family in registry.collect():
        if family.type == "histogram":
            yield _histogram(family, now)
        else:
            yield from _numbers(family, now)


def _numbers(family: Family, now: int) -> Iterator[Metric]:
    named: dict[str, list[NumberDataPoint]] = defaultdict(list)
    for sample in family.samples:
        if not sample.name.endswith("_created"):  # prometheus_client's own, no figure
            point = NumberDataPoint(dict(sample.labels), _BEGAN, now, float(sample.value))
            named[sample.name].append(point)
    for name, points in named.items():
        counted = family.type in {"counter", "summary"}
        data = Sum(points, AggregationTemporality.CUMULATIVE, True) if counted else Gauge(points)
        yield Metric(name, family.documentation, "", data)


def _histogram(family: Family, now: int) -> Metric:
    of_labels: dict[Labels, list[Sample]] = defaultdict(list)
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        of_labels[tuple(sorted(labels.items()))].append(sample)
    points = [_point(labels, samples, now) for labels, samples in of_labels.items()]
    data = Histogram(points, AggregationTemporality.CUMULATIVE)
    return Metric(family.name, family.documentation, "", data)


def _point(labels: Labels, samples: list[Sample], now: int) -> HistogramDataPoint:
    """Prometheus adds up its buckets, OpenTelemetry does not."""
    upto = sorted((float(s.labels["le"]), int(s.value)) for s in samples if "le" in s.labels)
    counts = [count for _, count in upto]
    total = next(s.value for s in samples if s.name.endswith("_sum"))
    nobody_knows = cast("float", None)  # which values were the least and the greatest
    return HistogramDataPoint(
        attributes=dict(labels),
        start_time_unix_nano=_BEGAN,
        time_unix_nano=now,
        count=counts[-1],
        sum=total,
        bucket_counts=[count - before for before, count in zip([0, *counts], counts, strict=False)],
        explicit_bounds=[bound for bound, _ in upto[:-1]],
        min=nobody_knows,
        max=nobody_knows,
    )
