"""What a process tells of itself: logs, spans, correlation, and no phone number in any of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trunkline_common.telemetry.correlation import (
    accepted_correlation_id,
    correlated,
    correlation_id,
    current_correlation_id,
    new_correlation_id,
)
from trunkline_common.telemetry.exceptions import named, shown, told
from trunkline_common.telemetry.logs import setup_logs
from trunkline_common.telemetry.metrics import flush_metrics, setup_metrics
from trunkline_common.telemetry.redaction import redact
from trunkline_common.telemetry.traces import (
    context_of,
    current_span,
    flush_traces,
    is_tracing,
    link_to,
    note_error,
    resource_of,
    setup_traces,
    span,
    traceparent,
    tracer,
)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Who this OS process is, to whoever watches it."""

    service: str
    process: str


@contextmanager
def setup(
    service: str,
    process: str,
    *,
    log_level: str = "INFO",
    spans_dir: str | None = None,
    otlp_traces: bool = False,
    otlp_metrics: bool = False,
) -> Iterator[Telemetry]:
    """Logs, spans and figures of this OS process; what has not left leaves at the block's end."""
    setup_logs(service, process, log_level)
    resource = resource_of(service, process)
    setup_traces(service, resource, spans_dir=spans_dir, otlp=otlp_traces)
    if otlp_metrics:
        setup_metrics(resource)
    try:
        yield Telemetry(service, process)
    finally:
        flush_traces()
        flush_metrics()


__all__ = [
    "Telemetry",
    "accepted_correlation_id",
    "context_of",
    "correlated",
    "correlation_id",
    "current_correlation_id",
    "current_span",
    "is_tracing",
    "link_to",
    "named",
    "new_correlation_id",
    "note_error",
    "redact",
    "setup",
    "shown",
    "span",
    "told",
    "traceparent",
    "tracer",
]
