"""One request's way through every process, from the span files that the processes wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

_WIDTH: Final = 28
CORRELATION: Final = "trunkline.correlation_id"


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times in seconds since the epoch."""

    trace: str
    id: str
    parent: str | None
    service: str
    name: str
    began: float
    ended: float
    attributes: dict[str, Any] = field(default_factory=dict)


def read_spans(folder: Path) -> Iterator[Span]:
    """Every span of every process; a line that is still being written is left out."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    yield _span(json.loads(line))
                except (ValueError, KeyError):
                    continue


def _span(told: dict[str, Any]) -> Span:
    return Span(
        trace=told["context"]["trace_id"],
        id=told["context"]["span_id"],
        parent=told["parent_id"],
        service=told["resource"]["attributes"]["service.name"].removeprefix("trunkline-"),
        name=told["name"],
        began=datetime.fromisoformat(told["start_time"]).timestamp(),
        ended=datetime.fromisoformat(told["end_time"]).timestamp(),
        attributes=told.get("attributes") or {},
    )


def of_attempt(spans: Sequence[Span], attempt_id: str) -> list[Span]:
    """The trace of one attempt: its request, the provider's callbacks, and what they caused."""
    traces = {s.trace for s in spans if s.attributes.get("trunkline.attempt_id") == attempt_id}
    return [span for span in spans if span.trace in traces]


def of_start(spans: Sequence[Span], correlation_id: str) -> list[Span]:
    """The trace of the API request that started the run."""
    traces = {
        span.trace
        for span in spans
        if span.attributes.get(CORRELATION) == correlation_id
        and span.service == "api"
        and span.name.startswith("POST")
        and span.name.endswith("/start")
    }
    return [span for span in spans if span.trace in traces]


def waterfall(spans: Iterable[Span], *, most: int = 40) -> list[str]:
    """A trace as lines: when, how long, which service, what; children below their parents."""
    ordered = sorted(spans, key=lambda span: span.began)
    if not ordered:
        return ["  (no spans)"]
    began = ordered[0].began
    whole = max(max(span.ended for span in ordered) - began, 1e-6)
    known = {span.id for span in ordered}
    children: dict[str | None, list[Span]] = {}
    for span in ordered:
        children.setdefault(span.parent if span.parent in known else None, []).append(span)
    lines = list(_lines(children, None, 0, began, whole))
    hidden = len(lines) - most
    return lines if hidden <= 0 else [*lines[:most], f"  … and {hidden} more spans"]


def _lines(
    children: dict[str | None, list[Span]],
    parent: str | None,
    depth: int,
    began: float,
    whole: float,
) -> Iterator[str]:
    for span in children.get(parent, ()):
        start = int((span.began - began) / whole * (_WIDTH - 1))
        length = max(1, round((span.ended - span.began) / whole * _WIDTH))
        bar = (" " * start + "█" * length)[:_WIDTH]
        yield (
            f"  {(span.began - began) * 1000:>8.1f} ms {(span.ended - span.began) * 1000:>8.1f} ms"
            f" |{bar:<{_WIDTH}}| {span.service:<11}{'  ' * depth}{span.name}"
        )
        yield from _lines(children, span.id, depth + 1, began, whole)
