"""A message's way: facts from anybody, decisions on the open request only, any order one state."""

from __future__ import annotations

from itertools import permutations

import pytest

from trunkline_messaging.domain.answers import Result
from trunkline_messaging.domain.progress import (
    DELIVERY_RANK,
    Standing,
    after_result,
    after_statuses,
    backoff,
)

ACCEPTED = Result("accepted", provider_id="wamid.1")


@pytest.mark.parametrize("state", ["sending", "in_doubt", "waiting", "unknown", "failed"])
def test_acceptance_is_true_whoever_says_it(state: str) -> None:
    step = after_result(Standing(state, number=5), 2, ACCEPTED)
    assert step is not None
    assert (step.state, step.provider_message_id) == ("accepted", "wamid.1")


def test_acceptance_is_said_once() -> None:
    known = Standing("accepted", 1, None, "wamid.1")
    assert after_result(known, 1, ACCEPTED) is None


@pytest.mark.parametrize("kind", ["rejected", "later", "misconfigured", "not_sent", "in_doubt"])
@pytest.mark.parametrize(
    "standing",
    [
        Standing("sending", number=3),  # a later request is under way
        Standing("accepted", 2, None, "wamid.1"),
        Standing("waiting", number=2),
        Standing("unknown", number=2),
    ],
)
def test_a_decision_counts_for_the_open_request_only(kind: str, standing: Standing) -> None:
    assert after_result(standing, 2, Result(kind)) is None  # type: ignore[arg-type]


def test_what_each_decision_does() -> None:
    standing = Standing("sending", number=1)
    rejected = after_result(standing, 1, Result("rejected", code="131026"))
    later = after_result(standing, 1, Result("later", retry_after=9))
    unsent = after_result(standing, 1, Result("not_sent"))
    held = after_result(standing, 1, Result("misconfigured"))
    doubt = after_result(standing, 1, Result("in_doubt"))
    assert rejected is not None
    assert (rejected.state, rejected.code) == ("failed", "131026")
    assert later is not None
    assert (later.state, later.due_in) == ("waiting", 9)
    assert unsent is not None
    assert (unsent.state, unsent.due_in) == ("waiting", backoff(1))
    assert held is not None
    assert (held.state, held.due_in) == ("waiting", 0)
    assert doubt is not None
    assert doubt.state == "in_doubt"


@pytest.mark.parametrize("start", ["sending", "in_doubt", "accepted", "unknown"])
@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "read", "failed"])))
def test_any_order_of_statuses_gives_one_state(start: str, order: tuple[str, ...]) -> None:
    standing = Standing(start, 1, None, "wamid.1" if start == "accepted" else None)
    for status in order + order:  # and any repetition
        step = after_statuses(standing, [status], "wamid.1")
        if step is not None:
            standing = Standing(step.state, 1, step.delivery or standing.delivery, "wamid.1")
    assert (standing.state, standing.delivery) == ("accepted", "read")


def test_one_batch_is_as_good_as_many() -> None:
    step = after_statuses(Standing("in_doubt", 1), ["read", "sent", "delivered"], "wamid.1")
    assert step is not None
    assert (step.state, step.delivery, step.provider_message_id) == ("accepted", "read", "wamid.1")


def test_a_status_without_news_changes_nothing() -> None:
    assert after_statuses(Standing("accepted", 1, "read", "wamid.1"), ["sent"], "wamid.1") is None


def test_delivered_beats_failed() -> None:
    assert DELIVERY_RANK["sent"] < DELIVERY_RANK["failed"] < DELIVERY_RANK["delivered"]


def test_backoff_grows_and_is_bounded() -> None:
    waits = [backoff(tries) for tries in range(1, 40)]
    assert waits == sorted(waits)
    assert waits[0] == 2
    assert waits[-1] == 300
