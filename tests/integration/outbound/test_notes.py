"""What happened inside a call is in its contact's history, and ends neither call nor turn."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_history import http, lines, path, sent

from trunkline_common.contracts.content import CallDigitsReported, CallLegReported
from trunkline_common.ids import BUSINESS, new_id
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.gateways.twilio_calls import _listing, without_legs
from trunkline_outbound.records import Recorded, record

__all__ = ["http"]
CALL, LEG = "CA" + "7" * 32, "CA" + "8" * 32


def digits(scene: Scene, attempt_id: str, **more: Any) -> CallDigitsReported:
    known = {"provider_call_id": CALL, "account": scene.account, "channel_id": scene.channel_id,
             "attempt_id": attempt_id, "step": 0, "turn": 0, "digits": "1",
             "meaning": "confirm"}  # fmt: skip
    return CallDigitsReported.model_validate(known | more)


def leg(scene: Scene, attempt_id: str, **more: Any) -> CallLegReported:
    known = {"provider_call_id": CALL, "leg_id": LEG, "account": scene.account,
             "channel_id": scene.channel_id, "attempt_id": attempt_id,
             "status": "completed", "duration": 5}  # fmt: skip
    return CallLegReported.model_validate(known | more)


async def answered(scene: Scene) -> tuple[str, str]:
    run_id = await scene.start_run(1)
    attempt_id = await sent(scene, run_id)
    await record(
        scene.database, [Recorded(attempt_id, run_id, Result("accepted", provider_id=CALL))]
    )
    await scene.report(attempt_id, CALL, "in-progress")
    await fold_calls(scene.database, batch=100)
    return run_id, attempt_id


async def test_a_response_is_a_line_of_the_history_once(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    run_id, attempt_id = await answered(scene)
    for _ in range(2):
        await scene.hear(digits(scene, attempt_id))
    await scene.hear(digits(scene, attempt_id, turn=1, digits="", meaning="no_input"))
    told = await lines(http, path(scene, run_id, "jobs/1/history"))
    assert [(one["state"], one["detail"]) for one in told if one["kind"] == "response"] == [
        ("confirm", "1"),
        ("no_input", None),
    ]


async def test_the_end_of_an_agents_leg_is_not_the_end_of_the_call(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    run_id, attempt_id = await answered(scene)
    await scene.hear(leg(scene, attempt_id))
    await fold_calls(scene.database, batch=100)
    assert await scene.states(run_id) == {"accepted": 1}
    [shown] = [
        one
        for one in await lines(http, path(scene, run_id, "jobs/1/history"))
        if one["kind"] == "leg"
    ]
    assert (shown["state"], shown["detail"], shown["provider_id"]) == ("completed", "5", CALL)
    await scene.report(attempt_id, CALL, "completed", duration=20)
    await fold_calls(scene.database, batch=100)
    assert await scene.states(run_id) == {"done": 1}


async def test_notes_of_another_business_are_not_shown(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    run_id, attempt_id = await answered(scene)
    await scene.hear(digits(scene, attempt_id), business_id=new_id(BUSINESS))
    told = await lines(http, path(scene, run_id, "jobs/1/history"))
    assert "response" not in {one["kind"] for one in told}


@pytest.mark.parametrize(("parent", "count"), [(None, 1), (CALL, 0)], ids=["ours", "a leg"])
def test_a_leg_answers_no_request_of_ours(parent: str | None, count: int) -> None:
    call = {"sid": LEG, "status": "completed", "parent_call_sid": parent}
    assert len(without_legs(_listing({"calls": [call]}, None)).calls) == count
