"""The judge must be able to say no: each thing that may go wrong, put into records that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.faults.judge import Evidence, violations
from tests.faults.stages import Campaign

Found = dict[str, list[dict[str, Any]]]


def records(*, receipt: dict[str, int] | None = None) -> Found:
    """Three contacts: one answered, one busy and then answered, one left out by a cancel."""
    jobs = [
        {"seq": 1, "address": "+1", "state": "done", "outcome": "answered", "reason": "call"},
        {"seq": 2, "address": "+2", "state": "done", "outcome": "answered", "reason": "call"},
        {"seq": 3, "address": "+3", "state": "cancelled", "outcome": None, "reason": "run"},
    ]
    attempts = [("a1", 1), ("a2", 2), ("a3", 2)]
    turns = [{key: job[key] for key in ("seq", "state", "outcome")} for job in jobs]
    return {
        "run": [{"state": "cancelled", "receipt": receipt}],
        "cursor": [{"next_seq": 4, "total": 3}],
        "jobs": jobs,
        "attempts": [{"attempt_id": i, "seq": seq, "state": "accepted"} for i, seq in attempts],
        "surplus": [],
        "shown": [{"state": "cancelled", "total": 3, "states": {"done": 2, "cancelled": 1}}],
        "turns": turns,
        "calls": [{"attempt_id": attempt} for attempt, _ in attempts],
    }


def evidence(found: Found, accepted: dict[str, int] | None = None) -> Evidence:
    campaign = Campaign("controls", "run_1", "voice", "AC1", frozenset({"+1", "+2", "+3"}), 2)
    requests = Counter({"a1": 1, "a2": 1, "a3": 1} if accepted is None else accepted)
    last = {"a1": "completed", "a2": "busy", "a3": "completed"}
    return Evidence(campaign, found, requests, last)


def test_what_adds_up_is_found_to() -> None:
    assert violations(evidence(records())) == []
    receipt = {"stopped": 1, "in_flight": 1, "ended": 1}
    assert violations(evidence(records(receipt=receipt))) == []


def test_one_attempt_that_the_provider_accepted_twice() -> None:
    (said,) = violations(evidence(records(), {"a1": 2, "a2": 1, "a3": 1}))
    assert "a1 was accepted 2 times" in said


def test_a_request_that_we_say_was_never_made() -> None:
    found = records()
    found["attempts"][0]["state"] = "absent"
    assert any("a1 was accepted and is absent" in said for said in violations(evidence(found)))
    del found["attempts"][0]
    assert any("is not there" in said for said in violations(evidence(found)))


def test_a_call_that_nobody_made() -> None:
    said = violations(evidence(records(), {"a2": 1, "a3": 1}))
    assert any("the provider never had it" in one for one in said)
    assert any("nobody was called" in one for one in said)


def test_a_second_call_without_need() -> None:
    found = evidence(records())
    last = {**found.last, "a2": "completed"}
    (said,) = violations(Evidence(found.campaign, found.found, found.accepted, last))
    assert "without need after ['a2']" in said


def test_a_second_attempt_that_never_came_leaves_the_job_unknown() -> None:
    found = records()
    found["attempts"][2].update(state="absent")
    for shown in (found["jobs"][1], found["turns"][1]):
        shown.update(state="unknown", outcome=None)
    found["shown"][0].update(states={"done": 1, "unknown": 1, "cancelled": 1})
    found["calls"].pop()
    assert violations(evidence(found, {"a1": 1, "a2": 1})) == []
    found["attempts"][2].update(state="accepted")
    assert any("job 2 is unknown" in said for said in violations(evidence(found)))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f["jobs"].pop(), "3 contacts were accepted, 2 are jobs"),
        (lambda f: f["jobs"][0].update(state="accepted"), "job 1 is accepted"),
        (lambda f: f["jobs"][0].update(reason=None), "job 1 is done (None)"),
        (lambda f: f["jobs"][0].update(outcome="busy"), "the provider said completed"),
        (lambda f: f["run"][0].update(state="running"), "the run is running"),
        (lambda f: f["turns"].pop(0), "api shows other ends"),
        (lambda f: f["turns"].append(f["turns"][0]), "api shows other ends"),
        (lambda f: f["shown"][0].update(states={"done": 3}), "api counts"),
        (lambda f: f["calls"].pop(), "api does not show 1 calls"),
        (lambda f: f["surplus"].append({"attempt_id": "a1"}), "a1 has a second call"),
        (lambda f: f["cursor"][0].update(total=4), "the cursor counts 4 of 3"),
        (
            lambda f: f["run"][0].update(receipt={"stopped": 2, "in_flight": 0, "ended": 1}),
            "the cancel stopped 2, and only 1 were left out",
        ),
    ],
    ids=[
        "a job is missing",
        "a job has no end",
        "a job has no reason",
        "another outcome",
        "the run goes on",
        "a turn is missing",
        "a turn is told twice",
        "counters are no sums",
        "a call is not shown",
        "a surplus call",
        "a cursor that counts more",
        "an intent after the cancel",
    ],
)
def test_each_thing_that_is_wrong(spoil: Callable[[Found], object], words: str) -> None:
    found = records()
    spoil(found)
    assert any(words in said for said in violations(evidence(found)))
