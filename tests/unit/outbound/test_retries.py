"""The attempt policy by outcome, as a table."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_outbound.domain.retries import JobEnd, Retry, Tries, end_of_job, rules_of

ANSWERED = JobEnd("done", "answered", "call_answered")
NO_ANSWER = JobEnd("done", "no_answer", "call_no_answer")
THREE = rules_of(None, max_attempts=3, retry_after=900)
ONE = rules_of(None, max_attempts=1, retry_after=900)
RULES = {"busy": Retry(2, (60, 300)), "machine": Retry(1, (3600,)), "no_answer": Retry(0, (60,))}


@pytest.mark.parametrize(
    ("outcome", "state", "tries", "cap", "rules", "expected"),
    [
        (
            "answered",
            "accepted",
            Tries(1, 1),
            3,
            THREE,
            JobEnd("done", "answered", "call_answered"),
        ),
        ("busy", "accepted", Tries(1, 1), 1, ONE, JobEnd("done", "busy", "call_busy")),
        ("busy", "accepted", Tries(1, 1), 3, THREE, JobEnd("waiting", "busy", "call_busy", 900)),
        (
            "no_answer",
            "accepted",
            Tries(3, 1),
            3,
            THREE,
            JobEnd("exhausted", "no_answer", "call_no_answer after 3 attempts"),
        ),
        ("busy", "done", Tries(1, 1), 3, THREE, JobEnd("done", "busy", "call_busy")),
        ("busy", "unknown", Tries(1, 1), 3, THREE, JobEnd("done", "busy", "call_busy")),
        ("failed", "accepted", Tries(1, 1), 3, THREE, JobEnd("done", "failed", "call_failed")),
        ("busy", "accepted", Tries(1, 1), 9, RULES, JobEnd("waiting", "busy", "call_busy", 60)),
        ("busy", "accepted", Tries(3, 2), 9, RULES, JobEnd("waiting", "busy", "call_busy", 300)),
        (
            "busy",
            "accepted",
            Tries(4, 3),
            9,
            RULES,
            JobEnd("exhausted", "busy", "call_busy after 4 attempts"),
        ),
        (
            "machine",
            "accepted",
            Tries(4, 1),
            9,
            RULES,
            JobEnd("waiting", "machine", "call_machine", 3600),
        ),
        (
            "no_answer",
            "accepted",
            Tries(1, 1),
            9,
            RULES,
            JobEnd("done", "no_answer", "call_no_answer"),
        ),
        (
            "machine",
            "accepted",
            Tries(2, 1),
            2,
            RULES,
            JobEnd("exhausted", "machine", "call_machine after 2 attempts"),
        ),
    ],
)
def test_how_a_job_goes_on(
    outcome: str,
    state: str,
    tries: Tries,
    cap: int,
    rules: Mapping[str, Retry],
    expected: JobEnd,
) -> None:
    assert end_of_job(outcome, state=state, tries=tries, cap=cap, rules=rules) == expected


@pytest.mark.trap("retry budgets that add up")
@given(
    ends=st.lists(st.sampled_from(["busy", "no_answer", "machine", "failed"]), max_size=30),
    most=st.integers(0, 5),
    cap=st.integers(1, 6),
)
def test_no_policy_ever_goes_over_its_cap(ends: list[str], most: int, cap: int) -> None:
    rules = {outcome: Retry(most, (1.0,)) for outcome in ends}
    alike = dict.fromkeys(ends, 0)
    for attempts, outcome in enumerate(ends, start=1):
        alike[outcome] += 1
        tries = Tries(attempts, alike[outcome])
        end = end_of_job(outcome, state="accepted", tries=tries, cap=cap, rules=rules)
        assert attempts <= cap
        assert alike[outcome] <= most + 1
        if end.state != "waiting":
            return
