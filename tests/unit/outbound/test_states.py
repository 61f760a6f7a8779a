"""What a call's last status means for its job. The tables of states are tested on a database."""

from __future__ import annotations

import pytest

from trunkline_outbound.domain.states import (
    CALL_RANK,
    FINAL_RANK,
    call_outcome,
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
