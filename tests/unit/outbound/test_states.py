"""The protocol's state tables: closed, final where they must be, and agreeing with each other."""

from __future__ import annotations

import pytest

from trunkline_outbound.domain.states import (
    ATTEMPT_NEXT,
    CALL_RANK,
    FINAL_JOB,
    FINAL_RANK,
    JOB_NEXT,
    RUN_NEXT,
    JobEnd,
    call_outcome,
    end_of_job,
    is_final_status,
)


@pytest.mark.parametrize("table", [RUN_NEXT, JOB_NEXT, ATTEMPT_NEXT], ids=["run", "job", "attempt"])
def test_every_state_that_can_follow_is_a_state(table: dict[str, frozenset[str]]) -> None:
    assert {after for next_ in table.values() for after in next_} <= set(table)


def test_no_job_leaves_a_final_state_but_unknown_to_done() -> None:
    assert {state: JOB_NEXT[state] for state in FINAL_JOB if JOB_NEXT[state]} == {
        "unknown": frozenset({"done"})
    }


def test_an_attempt_in_doubt_never_becomes_an_intent_again() -> None:
    assert all("intent" not in next_ for next_ in ATTEMPT_NEXT.values())


def test_ranks_are_a_strict_order() -> None:
    assert len(set(CALL_RANK.values())) == len(CALL_RANK)


def test_final_statuses_are_the_ones_twilio_ends_with() -> None:
    finals = {status for status, rank in CALL_RANK.items() if rank >= FINAL_RANK}
    assert finals == {"completed", "busy", "no-answer", "failed", "canceled"}
    assert not is_final_status("in-progress")


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
    ("outcome", "attempts", "allowed", "expected"),
    [
        ("answered", 1, 3, JobEnd("done", "answered", "call_answered")),
        ("busy", 1, 1, JobEnd("done", "busy", "call_busy")),
        ("busy", 1, 3, JobEnd("waiting", "busy", "call_busy")),
        ("no_answer", 3, 3, JobEnd("exhausted", "no_answer", "call_no_answer after 3 attempts")),
        ("failed", 1, 3, JobEnd("done", "failed", "call_failed")),
    ],
)
def test_end_of_job(outcome: str, attempts: int, allowed: int, expected: JobEnd) -> None:
    assert end_of_job(outcome, attempts=attempts, max_attempts=allowed) == expected
