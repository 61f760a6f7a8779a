"""What a call's last status means for its job. The tables of states are tested on a database."""

from __future__ import annotations

import pytest

from trunkline_outbound.domain.states import (
    CALL_RANK,
    FINAL_RANK,
    JobEnd,
    call_outcome,
    end_of_job,
)


def test_ranks_are_a_strict_order() -> None:
    assert len(set(CALL_RANK.values())) == len(CALL_RANK)


def test_final_statuses_are_the_ones_twilio_ends_with() -> None:
    finals = {status for status, rank in CALL_RANK.items() if rank >= FINAL_RANK}
    assert finals == {"completed", "busy", "no-answer", "failed", "canceled"}


@pytest.mark.parametrize(
    ("status", "answered_by", "outcome"),
    [
        ("completed", None, "answered"),
        ("completed", "human", "answered"),
        ("completed", "machine_end_beep", "machine"),
        ("busy", None, "busy"),
        ("no-answer", None, "no_answer"),
        ("failed", None, "failed"),
        ("canceled", None, "canceled"),
    ],
)
def test_outcomes(status: str, answered_by: str | None, outcome: str) -> None:
    assert call_outcome(status, answered_by) == outcome


@pytest.mark.parametrize(
    ("outcome", "state", "attempts", "allowed", "expected"),
    [
        ("answered", "accepted", 1, 3, JobEnd("done", "answered", "call_answered")),
        ("busy", "accepted", 1, 1, JobEnd("done", "busy", "call_busy")),
        ("busy", "accepted", 1, 3, JobEnd("waiting", "busy", "call_busy")),
        (
            "no_answer",
            "accepted",
            3,
            3,
            JobEnd("exhausted", "no_answer", "call_no_answer after 3 attempts"),
        ),
        ("busy", "done", 1, 3, JobEnd("done", "busy", "call_busy")),
        ("no_answer", "unknown", 3, 3, JobEnd("done", "no_answer", "call_no_answer")),
        ("failed", "accepted", 1, 3, JobEnd("done", "failed", "call_failed")),
    ],
)
def test_end_of_job(
    outcome: str, state: str, attempts: int, allowed: int, expected: JobEnd
) -> None:
    assert end_of_job(outcome, state=state, attempts=attempts, max_attempts=allowed) == expected
