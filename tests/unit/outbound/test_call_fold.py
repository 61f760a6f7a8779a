"""Callbacks in any order, repeated or not, give one state of a call."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from trunkline_outbound.domain.calls import CallEvent, CallState, fold
from trunkline_outbound.domain.states import CALL_RANK

STATUSES = [*CALL_RANK, "invented-later"]


def said(status: str, number: int = -1, duration: int | None = None) -> CallEvent:
    return CallEvent("att_1", "CA1", status, number, duration)


def test_no_event_is_a_queued_call() -> None:
    assert fold("att_1", []) == CallState("att_1", "queued")


def test_the_way_of_an_answered_call() -> None:
    way = [
        said("initiated", 0),
        said("ringing", 1),
        said("in-progress", 2),
        said("completed", 3, 42),
    ]
    expected = CallState("att_1", "completed", answered=True, duration=42)
    assert fold("att_1", way) == expected
    assert fold("att_1", reversed(way)) == expected


def test_a_late_ringing_does_not_reopen_a_call() -> None:
    assert fold("att_1", [said("busy", 3), said("ringing", 1)]).status == "busy"


def test_a_status_nobody_knows_moves_nothing() -> None:
    assert fold("att_1", [said("ringing"), said("invented-later")]).status == "ringing"


def test_asking_for_the_script_proves_acceptance_and_no_more() -> None:
    state = fold("att_1", [said("twiml_fetched")])
    assert (state.status, state.answered, state.is_final) == ("twiml_fetched", False, False)


events = st.builds(
    CallEvent,
    st.just("att_1"),
    st.sampled_from(["CA1", "CA2"]),
    st.sampled_from(STATUSES),
    st.integers(-1, 4),
    st.none() | st.integers(0, 3),
    st.none() | st.sampled_from(["human", "machine_start"]),
    st.none() | st.sampled_from(["12100", "486"]),
)


@given(st.lists(events, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_give_one_state(
    happened: list[CallEvent], dice: random.Random
) -> None:
    shuffled = happened + dice.choices(happened, k=len(happened)) if happened else []
    dice.shuffle(shuffled)
    assert fold("att_1", shuffled) == fold("att_1", happened)
