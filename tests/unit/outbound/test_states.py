"""The tables of states in themselves; how code moves along them is tested on a database."""

from __future__ import annotations

import itertools

import pytest

from trunkline_outbound.domain.calls import CallEvent, fold
from trunkline_outbound.domain.states import (
    ATTEMPT_NEXT,
    CALL_RANK,
    FINAL_JOB,
    FINAL_RANK,
    JOB_NEXT,
    RUN_NEXT,
    before,
    call_outcome,
    steps,
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


@pytest.mark.parametrize("second", CALL_RANK)
@pytest.mark.parametrize("first", CALL_RANK)
def test_of_two_statuses_the_higher_stands_whichever_came_first(first: str, second: str) -> None:
    events = [CallEvent("att_1", "CA1", status, n) for n, status in enumerate((first, second))]
    higher = max(first, second, key=lambda status: CALL_RANK[status])
    shown = higher if CALL_RANK[higher] > CALL_RANK["queued"] else "queued"
    for order in (events, events[::-1], events * 2):
        assert fold("att_1", order).status == shown


TABLES = {
    "run": (RUN_NEXT, "draft"),
    "job": (JOB_NEXT, "queued"),
    "attempt": (ATTEMPT_NEXT, "intent"),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached_and_every_state_can_end(name: str) -> None:
    table, first = TABLES[name]
    assert reached(table, first) == set(table)
    ends = {state for state, later in table.items() if not later}
    assert all(reached(table, state) & ends for state in table)


@pytest.mark.parametrize("name", TABLES)
def test_every_pair_is_allowed_or_refused_as_the_table_says(name: str) -> None:
    table, _ = TABLES[name]
    for one, two in itertools.product(table, table):
        assert ((one, two) in steps(table)) == (two in table[one]) == (one in before(table, two))
    assert not {later for follow in table.values() for later in follow} - set(table)


def test_what_is_final_stays_so_but_an_unknown_that_a_fact_corrects() -> None:
    assert {state: set(JOB_NEXT[state]) for state in FINAL_JOB} == {
        "done": set(),
        "skipped": set(),
        "cancelled": set(),
        "exhausted": set(),
        "unknown": {"done"},
    }


def reached(table: dict[str, frozenset[str]], state: str) -> set[str]:
    """The states that may come of this one, with itself."""
    seen: set[str] = set()
    todo = {state}
    while todo:
        seen |= todo
        todo = {later for one in todo for later in table[one]} - seen
    return seen
