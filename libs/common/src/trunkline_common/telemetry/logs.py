"""One JSON object per line on standard error: a fixed name, its fields, and what it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from opentelemetry import trace

from trunkline_common.telemetry.correlation import current_correlation_id
from trunkline_common.telemetry.exceptions import named, shown
from trunkline_common.telemetry.redaction import redact

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Every text of a record passes through `redact`, exceptions included."""

    def __init__(self, service: str, process: str) -> None:
        super().__init__()
        self._about = {"service": service, "process": process}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "name": redact(record.getMessage()),
            "logger": record.name,
            **self._about,
        }
        correlation = current_correlation_id()
        if correlation:
            line["correlation_id"] = correlation
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
            line["span_id"] = trace.format_span_id(span.span_id)
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line[name] = _value(value)
        if record.exc_info and record.exc_info[1]:
            line["exception"] = shown(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def _value(value: object) -> object:
    if isinstance(value, BaseException):
        return named(value)
    return value if isinstance(value, int | float) else redact(str(value))


def setup_logs(service: str, process: str, level: str) -> None:
    """All logging of this OS process, libraries included, goes through one handler."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service, process))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # what it raises, we log ourselves
    logging.getLogger("uvicorn.access").setLevel(max(logging.WARNING, root.level))
