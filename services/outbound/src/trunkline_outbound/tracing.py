"""One trace per attempt, linked to its run's, so that a single call can be followed."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from trunkline_common.telemetry import is_tracing, tracer
from trunkline_outbound.store.runs import Run

_propagator = TraceContextTextMapPropagator()


def traceparent_for(run: Run) -> str | None:
    """Start an attempt's own trace with its intent; the traceparent that everything after carries.

    A thousand calls under the run's one trace would be unreadable, so each has its own, with a
    link to the request that started the run. None where spans go nowhere.
    """
    if not is_tracing():
        return None
    links = []
    if run.traceparent is not None:
        parent = _propagator.extract({"traceparent": run.traceparent})
        links.append(Link(trace.get_current_span(parent).get_span_context()))
    span = tracer.start_span(
        "attempt intent",
        context=trace.set_span_in_context(trace.INVALID_SPAN),
        kind=SpanKind.INTERNAL,
        links=links,
        attributes={
            "trunkline.run_id": run.run_id,
            "trunkline.business_id": run.business_id,
            "trunkline.correlation_id": run.correlation_id,
        },
    )
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, context=trace.set_span_in_context(span))
    span.end()
    return carrier.get("traceparent")
