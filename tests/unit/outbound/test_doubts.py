"""What a listing proves about a lost answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trunkline_outbound.domain.doubts import (
    Absent,
    AskAgain,
    Found,
    Question,
    Ruling,
    Seen,
    delays,
    judge,
)

INTENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = INTENT + timedelta(seconds=30)


def question(*, skew: float = 0.0, past: bool = False) -> Question:
    return Question(INTENT, NOW, NOW + timedelta(seconds=skew), past)


def call(name: str, seconds: float) -> Seen:
    return Seen(name, INTENT + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("asked", "seen", "bound", "expected"),
    [
        (question(), [], set(), AskAgain()),
        (question(past=True), [], set(), Absent()),
        (question(), [call("CA1", 1)], set(), Found("CA1")),
        (question(past=True), [call("CA1", 1)], set(), Found("CA1")),
        (question(), [call("CA1", 1)], {"CA1"}, AskAgain()),
        (question(past=True), [call("CA1", -60)], set(), Absent()),
        (question(), [call("CA2", 3), call("CA1", 1)], set(), Found("CA1", ("CA2",))),
        (question(), [call("CA2", 3), call("CA1", 1)], {"CA1"}, Found("CA2")),
        (question(skew=300), [call("CA1", 301)], set(), Found("CA1")),
        (question(skew=300, past=True), [call("CA1", 60)], set(), Absent()),
        (question(skew=-300), [call("CA1", -299)], set(), Found("CA1")),
        (question(past=True), [Seen("CA1", None)], set(), Absent()),
    ],
)
def test_a_listing_is_judged_on_the_providers_clock(
    asked: Question, seen: list[Seen], bound: set[str], expected: Ruling
) -> None:
    assert judge(asked, seen, bound) == expected


def test_looks_come_at_2_5_15_and_60_seconds_and_then_every_minute() -> None:
    at, looks = 0.0, []
    for delay in delays():
        at += delay
        looks.append(at)
    assert looks == [2, 5, 15, 60, 120]
