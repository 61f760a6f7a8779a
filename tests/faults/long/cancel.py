"""A run of a hundred thousand is cancelled in full flight: what is promised then, measured."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from tests.faults.long.crowd import Crowd, are_accepted
from tests.faults.long.results import Result
from tests.faults.long.yard import Yard
from tests.faults.stages import Campaign

from trunkline_dev.servers.processes import wait_until

RECEIPT_SECONDS: Final = 1.0
CLOSED_SECONDS: Final = 15.0
_UNDER_WAY_SECONDS: Final = 240.0
_END_SECONDS: Final = 120.0

_LEFT: Final = """
SELECT EXISTS (SELECT FROM outbound.jobs
                WHERE run_id = $1 AND state IN ('queued', 'waiting')) AS any
"""


@dataclass(frozen=True, slots=True)
class Form:
    """How many contacts, of whom so many were reached when it is cancelled; how often."""

    contacts: int = 100_000
    reached: int = 1_000
    rounds: int = 3
    receipt: float = RECEIPT_SECONDS


FULL: Final = Form()
SHORT: Final = Form(contacts=400, reached=20, rounds=1, receipt=10.0)  # on a busy machine


def play(yard: Yard, result: Result, form: Form = FULL) -> None:
    """Cancel, and hold the answer and the tables against the promise."""
    crowd = Crowd.gather(yard.stack, "voice", form.contacts, first=500_000, pace=100.0)
    for _ in range(len(result.rounds), form.rounds):
        result.add(*_round(yard, crowd, form))
    for name in ("receipt_seconds", "closed_seconds", "cancelled_seconds", "later_intents"):
        result.figures[name] = max((each[name] for each in result.rounds), default=None)
    result.figures["cancels"] = len(result.rounds)
    result.figures["contacts"] = form.contacts


def _round(yard: Yard, crowd: Crowd, form: Form) -> tuple[dict[str, Any], list[str]]:
    before = yard.witness.look()
    campaign = replace(crowd.begin(), stage="controls")
    reached = partial(are_accepted, yard, before + form.reached)
    assert wait_until(reached, within=_UNDER_WAY_SECONDS), "the run does not get under way"
    figures = _cancel(yard, crowd, campaign)
    problems = yard.judge([campaign])
    yard.witness.forget()
    figures["later_intents"] = yard.records.attempts(campaign.run_id) - figures.pop("admitted")
    problems += [
        f"{name}: {figures[name]}, and {most} is promised"
        for name, most in (
            ("receipt_seconds", form.receipt),
            ("closed_seconds", CLOSED_SECONDS),
            ("later_intents", 0),
        )
        if figures[name] > most
    ]
    return figures, problems


def _cancel(yard: Yard, crowd: Crowd, campaign: Campaign) -> dict[str, Any]:
    run_id = campaign.run_id
    began = time.monotonic()
    answer = crowd.customer.api.ask("POST", f"/v1/runs/{run_id}/cancel")
    told = wait_until(lambda: _receipt(yard, run_id) is not None, within=_END_SECONDS)
    assert told, "the cancel has no receipt"
    receipt_after = time.monotonic() - began
    # Whoever could read the receipt sees every intent that was committed before the cancel.
    admitted = yard.records.attempts(run_id)
    assert answer.status in {200, 202}, f"the cancel was answered with {answer.status}"
    nothing_left = partial(_has_nothing_left, yard, run_id)
    assert wait_until(nothing_left, within=_END_SECONDS), "jobs are left after the cancel"
    closed_after = time.monotonic() - began
    over = wait_until(lambda: yard.records.state(run_id) == "cancelled", within=_END_SECONDS)
    assert over, f"the run is {yard.records.state(run_id)}"
    return {
        "status": answer.status,
        "receipt_seconds": round(receipt_after, 2),  # also of one that came after a 202
        "receipt": _receipt(yard, run_id),
        "admitted": admitted,
        "closed_seconds": round(closed_after, 2),
        "cancelled_seconds": round(time.monotonic() - began, 2),
    }


def _receipt(yard: Yard, run_id: str) -> str | None:
    sql = "SELECT answer FROM api.run_controls WHERE run_id = $1 AND control = 'cancel'"
    found: str | None = yard.records.rows(sql, run_id)[0]["answer"]
    return found


def _has_nothing_left(yard: Yard, run_id: str) -> bool:
    return not yard.records.rows(_LEFT, run_id)[0]["any"]
