"""What a collector is pushed is what `/metrics` shows, under the same names."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.common.parts import SHORT, applied, declared, progressed, wire
from tests.integration.common.started import Started, started

from trunkline_common.db import Database
from trunkline_common.testing import Broker, eventually

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]
VARY = ("process_", "python_gc", "trunkline_http_")  # differ from one look to the next


class Collector:
    """Takes pushes; the newest of each address."""

    def __init__(self) -> None:
        self.url = ""
        self.pushed: dict[str, bytes] = {}

    async def take(self, request: web.Request) -> web.Response:
        self.pushed[request.path] = await request.read()
        return web.Response()

    def resource(self) -> dict[str, str]:
        request = ExportMetricsServiceRequest.FromString(self.pushed["/v1/metrics"])
        attributes = request.resource_metrics[-1].resource.attributes
        return {one.key: one.value.string_value for one in attributes}

    def figures(self) -> Figures:
        request = ExportMetricsServiceRequest.FromString(self.pushed["/v1/metrics"])
        found: Figures = {}
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found |= samples(metric)
        return {key: value for key, value in found.items() if key[0] != "process.uptime"}


def samples(metric: Metric) -> Figures:
    """A pushed figure as Prometheus would write it."""
    found: Figures = {}
    for point in [*metric.gauge.data_points, *metric.sum.data_points]:
        labels = {one.key: one.value.string_value for one in point.attributes}
        found[metric.name, frozenset(labels.items())] = point.as_double
    for spread in metric.histogram.data_points:
        labels = {one.key: one.value.string_value for one in spread.attributes}
        found[f"{metric.name}_count", frozenset(labels.items())] = spread.count
        found[f"{metric.name}_sum", frozenset(labels.items())] = spread.sum
        seen = 0
        bounds = [*map(str, spread.explicit_bounds), "+Inf"]
        for bound, count in zip(bounds, spread.bucket_counts, strict=True):
            seen += count
            found[f"{metric.name}_bucket", frozenset({**labels, "le": bound}.items())] = seen
    return found


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector, app = Collector(), web.Application()
    app.router.add_post("/{path:.*}", collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()


async def shown(service: Started) -> Figures:
    _, text, _ = await service.request("GET", "/metrics")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def steady(figures: Figures) -> Figures:
    return {key: value for key, value in figures.items() if not key[0].startswith(VARY)}


@pytest.mark.broker
async def test_a_collector_is_pushed_what_metrics_shows(
    database: Database, database_url: str, broker: Broker
) -> None:
    await declared(broker)
    async with collecting() as collector:
        environment = {
            "SMALL_DATABASE_URL": database_url,
            "SMALL_BROKER_URL": broker.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
        }
        async with started("consume", environment) as service:
            await broker.publish(wire(progressed("run_m")), "outbound")
            await eventually(lambda: applied(database, "run_m"), 20)
            await eventually(lambda: "/v1/metrics" in collector.pushed, 20)

            async def same() -> None:
                pushed, seen = collector.figures(), await shown(service)
                assert pushed.keys() == seen.keys()
                assert steady(pushed) == steady(seen)
                done = frozenset({("queue", SHORT.name), ("result", "done")})
                assert pushed["trunkline_consumed_total", done] == 1

            await eventually(same)
            assert collector.resource()["service.name"] == "trunkline-outbound"
            await eventually(lambda: "/v1/traces" in collector.pushed)


async def test_figures_alone_may_be_collected_and_a_missing_collector_stops_nothing(
    database: Database, database_url: str
) -> None:
    environment = {
        "SMALL_DATABASE_URL": database_url,
        "SMALL_BROKER_URL": "amqp://nobody:none@127.0.0.1:1/",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
    }
    async with collecting() as collector:
        only = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/figures"}
        async with started("serve", {**environment, **only}) as service:
            await eventually(lambda: "/figures" in collector.pushed, 20)
            assert (await service.request("POST", "/runs/run_n"))[0] == 202
        assert collector.pushed.keys() == {"/figures"}
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    async with started("serve", {**environment, **away}) as service:
        assert (await service.request("POST", "/runs/run_o"))[0] == 202
        service.process.terminate()
        assert await service.ended(10) == 0
