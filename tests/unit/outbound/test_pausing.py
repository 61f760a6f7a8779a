"""When a run stops by itself: a share, of enough, since the last resume."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_outbound.domain.pausing import Brake, ends_of, reason_to_pause

HALF = Brake(0.5, 20, ("failed",))


@pytest.mark.parametrize(
    ("ends", "before", "reason"),
    [
        ({}, {}, None),
        ({"failed": 19}, {}, None),  # too few to say anything
        ({"failed": 10, "answered": 10}, {}, "auto_pause: 10 of 20 ended failed"),
        ({"failed": 9, "answered": 11}, {}, None),
        ({"failed": 20, "answered": 20}, {"failed": 20}, None),  # before the resume
        ({"failed": 40, "answered": 20}, {"failed": 20}, "auto_pause: 20 of 40 ended failed"),
        ({"failed": 5}, {"failed": 9}, None),  # late facts have corrected some
        ({"busy": 30}, {}, None),
    ],
)
def test_a_share_of_enough_ends_since_the_resume(
    ends: dict[str, int], before: dict[str, int], reason: str | None
) -> None:
    assert reason_to_pause(ends, before, HALF) == reason


def test_several_outcomes_count_together_and_unknown_is_one() -> None:
    ends = ends_of({"unknown": 3, "done": 7, "skipped": 50}, {"answered": 5, "failed": 2})
    assert ends == {"unknown": 3, "answered": 5, "failed": 2}
    brake = Brake(0.5, 10, ["unknown", "failed"])
    assert reason_to_pause(ends, {}, brake) == "auto_pause: 5 of 10 ended failed or unknown"


counts = st.dictionaries(st.sampled_from(["failed", "busy", "answered"]), st.integers(0, 1_000))


@given(counts, st.floats(0.01, 1), st.integers(1, 100))
def test_a_resume_never_pauses_again_at_once(
    ends: dict[str, int], share: float, minimum: int
) -> None:
    assert reason_to_pause(ends, ends, Brake(share, minimum, ("failed", "busy"))) is None
