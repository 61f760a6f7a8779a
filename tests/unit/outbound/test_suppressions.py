"""Under what a suppression of a job can be filed: the most telling first, each key once."""

from __future__ import annotations

from datetime import UTC, datetime

from trunkline_outbound.store.jobs import QueuedJob
from trunkline_outbound.store.suppressions import keys, keys_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def job(seq: int, address: str) -> QueuedJob:
    return QueuedJob(seq, f"con_{seq}", address, 0, NOW)


def test_the_number_itself_comes_first_and_long_prefixes_before_short_ones() -> None:
    assert keys(job(1, "+4990")) == [
        ("address", "+4990"),
        ("contact", "con_1"),
        ("prefix", "+4990"),
        ("prefix", "+499"),
        ("prefix", "+49"),
        ("prefix", "+4"),
    ]


def test_no_prefix_suppresses_everybody() -> None:
    assert ("prefix", "+") not in keys(job(1, "+4990"))
    assert ("prefix", "") not in keys(job(1, "+4990"))


def test_what_jobs_share_is_asked_for_once() -> None:
    asked = keys_of([job(1, "+4990"), job(2, "+4991")])
    assert asked["values"].count("+499") == 1
    assert len(asked["kinds"]) == len(asked["values"]) == 2 + 2 + 2 + 3
