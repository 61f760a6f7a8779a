"""What one try to fetch means for a recording, and where it will lie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from trunkline_common.ids import BUSINESS, RECORDING, new_id
from trunkline_recordings.domain.keys import storage_key
from trunkline_recordings.domain.outcomes import Outcome, Stored, after, backoff
from trunkline_recordings.gateways.twilio import classify


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "misconfigured"),
        (403, "misconfigured"),
        (404, "later"),
        (429, "later"),
        (500, "later"),
        (503, "later"),
        (400, "later"),
        (206, "later"),
        (410, "failed"),
    ],
)
def test_an_answer_without_audio(status: int, kind: str) -> None:
    assert classify(status, "").kind == kind


def test_retry_after_is_kept() -> None:
    assert classify(429, "7").retry_after == 7
    assert classify(429, "Tue, 24 Nov 2026 00:00:00 GMT").retry_after is None


def test_later_waits_longer_each_time_and_ends() -> None:
    waits = [after(Outcome("later"), tries=n, max_tries=15).due_in for n in range(1, 15)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1, 600)
    last = after(Outcome("later", reason="HTTP 404"), tries=15, max_tries=15)
    assert (last.state, last.reason) == ("failed", "gave up after 15 tries: HTTP 404")


@pytest.mark.parametrize("kind", ["misconfigured", "released"])
def test_what_is_not_its_fault_costs_no_try(kind: str) -> None:
    step = after(Outcome(kind), tries=99, max_tries=1)  # type: ignore[arg-type]
    assert (step.state, step.counts, step.due_in) == ("due", False, 0)


def test_ends() -> None:
    stored = Outcome("stored", stored=Stored(1, "00", "audio/wav"))
    assert after(stored, tries=1, max_tries=1).state == "stored"
    assert after(Outcome("failed"), tries=1, max_tries=9).state == "failed"


def test_a_provider_cannot_make_us_wait_for_ever_or_hurry() -> None:
    assert after(Outcome("later", retry_after=10**6), tries=1, max_tries=9).due_in == 600
    assert after(Outcome("later", retry_after=0), tries=1, max_tries=9).due_in == 1
    assert backoff(1000) == 600


def test_a_key_is_made_of_ids_and_the_month_in_utc() -> None:
    business, recording = new_id(BUSINESS), new_id(RECORDING)
    east = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert storage_key(business, recording, east) == f"{business}/2026/11/{recording}.wav"


@pytest.mark.parametrize("bad", ["../x", "", "biz_1", "rec_"])
def test_nothing_else_becomes_part_of_a_path(bad: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="ids only"):
        storage_key(bad, new_id(RECORDING), now)
    with pytest.raises(ValueError, match="ids only"):
        storage_key(new_id(BUSINESS), bad, now)
