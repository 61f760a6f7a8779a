"""Spans: to a collector where an endpoint is set, to files for development, else nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from trunkline_common.telemetry.correlation import current_correlation_id
from trunkline_common.telemetry.exceptions import named, shown, told

tracer = trace.get_tracer("trunkline")

CORRELATION = "trunkline.correlation_id"
_exporting: list[TracerProvider] = []  # that of this OS process, if it has one


class FileSpanExporter(SpanExporter):
    """One JSON line per span in a file of this OS process: what `make demo` shows a trace from."""

    def __init__(self, folder: Path, service: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{service}-{os.getpid()}.jsonl"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(f"{span.to_json(indent=None)}\n" for span in spans)
        except OSError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS


def resource_of(service: str, process: str) -> Resource:
    """This OS process, as a collector tells it from others."""
    return Resource.create(
        {
            "service.namespace": "trunkline",
            "service.name": f"trunkline-{service}",
            "service.instance.id": f"{process}-{os.getpid()}",
        }
    )


def setup_traces(service: str, resource: Resource, *, spans_dir: str | None, otlp: bool) -> None:
    """Install the exporters of this OS process; without any, spans cost next to nothing."""
    exporters: list[SpanExporter] = []
    if otlp:
        # Here, because it is a third of the time that a process needs to start.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporters.append(OTLPSpanExporter(timeout=5))
    if spans_dir:
        exporters.append(FileSpanExporter(Path(spans_dir), service))
    if not exporters:
        return
    provider = TracerProvider(resource=resource)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    _exporting.append(provider)


def is_tracing() -> bool:
    """Whether spans of this OS process go anywhere, so that it is worth making them."""
    return bool(_exporting)


def flush_traces() -> None:
    """Hand over what has not left yet; bounded, because a collector may be away."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(3_000)
        provider.shutdown()


def traceparent() -> str | None:
    """The current span as a W3C `traceparent`, to be stored with a row or put into a URL."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None, tracestate: str | None = None) -> Context:
    """The context to start a span in that continues the given one; empty if there is none."""
    carrier = {"traceparent": traceparent or "", "tracestate": tracestate or ""}
    return extract({name: value for name, value in carrier.items() if value}, context=Context())


def link_to(traceparent: str | None) -> list[trace.Link]:
    """A link to the given span, for whoever is caused by it in a trace of its own."""
    span = trace.get_current_span(context_of(traceparent)).get_span_context()
    return [trace.Link(span)] if span.is_valid else []


@contextmanager
def span(
    name: str,
    *,
    kind: trace.SpanKind = trace.SpanKind.INTERNAL,
    parent: str | None = None,
    links: Sequence[trace.Link] = (),
    attributes: dict[str, str | int] | None = None,
    new_trace: bool = False,
) -> Iterator[trace.Span]:
    """A current span that carries the correlation id. `parent` is a traceparent."""
    context = context_of(parent) if parent or new_trace else None
    correlation = current_correlation_id()
    about = {**(attributes or {}), **({CORRELATION: correlation} if correlation else {})}
    with current_span(name, context=context, kind=kind, links=links, attributes=about) as current:
        yield current


@contextmanager
def current_span(
    name: str,
    *,
    context: Context | None = None,
    kind: trace.SpanKind = trace.SpanKind.INTERNAL,
    links: Sequence[trace.Link] = (),
    attributes: Mapping[str, str | int] | None = None,
) -> Iterator[trace.Span]:
    """A current span in this very context: the only place where a block becomes one.

    The SDK would record what an exception says, and it may say a phone number or a name.
    """
    with tracer.start_as_current_span(
        name,
        context=context,
        kind=kind,
        links=links,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            note_error(current, error)
            raise


def note_error(current: trace.Span, error: BaseException) -> None:
    """Mark a span as failed by this error, without anybody's data."""
    if not current.is_recording():
        return
    current.add_event(
        "exception",
        {
            "exception.type": f"{type(error).__module__}.{type(error).__qualname__}",
            "exception.message": told(error),
            "exception.stacktrace": shown(error),
        },
    )
    current.set_status(trace.StatusCode.ERROR, named(error))


def traceparent_of(span: trace.Span) -> str:
    """A span as a W3C `traceparent`."""
    context = span.get_span_context()
    trace_id, span_id = (
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
    )
    return f"00-{trace_id}-{span_id}-{context.trace_flags:02x}"
