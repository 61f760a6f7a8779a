"""Phone numbers never reach a log; what only looks a little like one does."""

from __future__ import annotations

import io
import json
import logging

import pytest

from trunkline_common.telemetry import correlated, redact
from trunkline_common.telemetry.logs import JsonFormatter


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("+4915112345678", "+…78"),
        ("call +49 151 1234-5678 now", "call +…78 now"),
        ("+1 (415) 555-2671", "+…71"),
        ("To=%2B14155552671&From=x", "To=%2B…71&From=x"),
        ("to 4915112345678.", "to …78."),
        ('{"to": "5511987654321"}', '{"to": "…21"}'),
        ("(415) 555-26710", "…10"),
        ("+972-50-1234567, +552199887766", "+…67, +…66"),
    ],
)
def test_numbers_are_masked(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "run_01m85f5mm6ey7t9w33qmdhdjy8",
        "01a20af2-d286-778f-a4f0-63beb683d9e4",
        "2026-11-23T12:00:00.123456+00:00",
        "2026-11-23 12:00:00",
        "127.0.0.1:15672",
        "CA0123456789abcdef0123456789abcdef",
        "took 0.123456789 s",
        "attempt 3 of 12345678",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
)
def test_everything_else_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_log_line_is_one_json_object_with_what_it_belongs_to() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("api", "serve"))
    log = logging.getLogger("tests.redaction")
    log.addHandler(handler)
    log.propagate = False
    with correlated("cor_1"):
        try:
            raise ValueError("cannot dial +4915112345678")
        except ValueError:
            log.exception("call.failed", extra={"to": "+4915112345678", "attempt": 2})
    log.removeHandler(handler)
    line = json.loads(stream.getvalue())
    assert line["name"] == "call.failed"
    assert line["correlation_id"] == "cor_1"
    assert (line["service"], line["process"]) == ("api", "serve")
    assert (line["to"], line["attempt"]) == ("+…78", 2)
    assert "15112345678" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
