"""The end of the demo in words: numbers, verdicts, one call's way, and where to look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from trunkline_dev.demo.evidence import Evidence, Told
from trunkline_dev.demo.traces import Span, of_attempt, of_start, waterfall
from trunkline_dev.demo.verdicts import Verdict
from trunkline_dev.servers import Servers
from trunkline_dev.stack.layout import Layout

_PROGRESS: Final = "run.progressed"


def import_lines(imported: Told) -> Iterator[str]:
    """What became of the file."""
    counts = imported["counts"]
    yield (
        f"{counts['rows']} rows: {counts['imported']} imported, {counts['duplicates']} duplicates,"
        f" {counts['rejected']} rejected"
    )
    for reason, count in sorted(imported["rejected_by_reason"].items(), key=lambda one: -one[1]):
        yield f"  {count:>4}  {reason.replace('_', ' ')}"


def verdict_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Each verdict with its numbers."""
    for verdict in verdicts:
        yield f"{'ok  ' if verdict.holds else 'NOT '} {verdict.about}"
        yield f"       {verdict.told}"


def speed_lines(evidence: Evidence) -> Iterator[str]:
    """Jobs per second, by our clock and by the provider's."""
    run = evidence.run
    if run["started_at"] is None or run["ended_at"] is None or not evidence.witnessed.seconds:
        return
    began, ended = (datetime.fromisoformat(run[name]) for name in ("started_at", "ended_at"))
    seconds = (ended - began).total_seconds()
    total = len(evidence.contacts)
    yield (
        f"{total} jobs in {seconds:.1f} s from the run's start to its end:"
        f" {total / seconds:.1f} jobs/s"
    )
    yield (
        f"by the provider's log {evidence.witnessed.seconds:.1f} s from the first request to the"
        f" last event: {total / evidence.witnessed.seconds:.1f} jobs/s"
    )


def trace_lines(evidence: Evidence, job: Told, spans: Sequence[Span]) -> Iterator[str]:
    """One job's way: the request that started the run, then the job's own trace."""
    yield f"correlation id {job['correlation_id']}"
    yield "the request that started the run, and how the audience went to outbound:"
    start = of_start(spans, evidence.run["correlation_id"])
    told = [span for span in start if _PROGRESS not in span.name]
    yield from waterfall(told, most=16)
    yield f"  and {len(start) - len(told)} spans of run.progressed, one a second until its end"
    noun = "call" if evidence.kind == "voice" else "message"
    yield f"the {noun} {job['id']} of contact {job['contact_id']}, to the provider and back:"
    yield from waterfall(of_attempt(spans, job["attempt_id"]))


def server_lines(servers: Servers) -> Iterator[str]:
    """Which servers were used."""
    yield f"PostgreSQL {servers.postgres_version} ({servers.postgres_source})"
    yield f"RabbitMQ {servers.rabbitmq_version} ({servers.rabbitmq_source})"


def address_lines(layout: Layout, *, kept: bool) -> Iterator[str]:
    """Where to look, as long as it runs."""
    yield f"API's pages       {layout.url('api')}/docs"
    yield f"RabbitMQ's pages  {layout.servers.management_url}"
    yield f"files             {layout.folder} (logs, spans, recordings, the sandbox's log)"
    if kept:
        yield "They run until `make demo` is called again, or `make clean`."
    else:
        yield "All of it stops with the demo: KEEP=1 keeps it, `make up` starts one to play with."
