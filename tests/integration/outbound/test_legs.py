"""Calls that no attempt asked for: on the way in, followed to their end, each of one business."""

from __future__ import annotations

import json

from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.contracts.content import CallLegReported
from trunkline_common.contracts.inbound import CallInboundReported
from trunkline_common.ids import BUSINESS, new_id
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.legs import fold_legs

SID = "CA" + "3" * 32
PARENT = "CA" + "6" * 32


async def report_inbound(scene: Scene, sid: str, status: str, **more: object) -> None:
    """Let the provider report a call to the business's number, through the handler."""
    told = {
        "provider_call_id": sid,
        "account": scene.account,
        "channel_id": scene.channel_id,
        "from_number": "+12025550177",
        "to_number": "+15005550006",
        "status": status,
    }
    await scene.hear(CallInboundReported.model_validate(told | more))


async def said(scene: Scene) -> list[tuple[str, dict[str, object]]]:
    rows = await scene.rows(
        "SELECT name, payload FROM outbox WHERE business_id = :b ORDER BY position",
        b=scene.business_id,
    )
    told = []
    for name, payload in rows:
        body = payload if isinstance(payload, dict) else json.loads(str(payload))
        told.append((str(name), body))
    return told


async def test_an_inbound_call_is_told_step_by_step(scene: Scene) -> None:
    for status, more in (
        ("ringing", {}),
        ("in-progress", {}),
        ("completed", {"duration": 31, "sip_code": "200"}),
    ):
        await report_inbound(scene, SID, status, **more)
        await fold_legs(scene.database, batch=10)
    told = await said(scene)
    assert [name for name, _ in told] == [
        "call.leg_ringing.v1",
        "call.leg_answered.v1",
        "call.leg_ended.v1",
    ]
    last = told[-1][1]
    assert len({body["call_id"] for _, body in told}) == 1
    assert [body["version"] for _, body in told] == [1, 2, 3]
    assert (last["direction"], last["outcome"], last["duration"], last["code"]) == (
        "inbound",
        "answered",
        31,
        "200",
    )
    assert (last["from_number"], last["to_number"]) == ("+12025550177", "+15005550006")


async def test_a_call_that_was_not_answered_tells_why(scene: Scene) -> None:
    await report_inbound(scene, SID, "busy", error_code="13224")
    await fold_legs(scene.database, batch=10)
    told = await said(scene)
    assert [name for name, _ in told] == ["call.leg_ringing.v1", "call.leg_ended.v1"]
    assert (told[-1][1]["outcome"], told[-1][1]["code"]) == ("busy", "13224")


async def test_the_same_id_under_two_businesses_is_two_calls(scene: Scene) -> None:
    other = Scene(scene.database, business_id=new_id(BUSINESS))
    await report_inbound(scene, SID, "ringing")
    await report_inbound(other, SID, "completed", duration=1)
    await fold_legs(scene.database, batch=10)
    rows = await scene.rows("SELECT business_id, status FROM legs ORDER BY status")
    assert rows == [(other.business_id, "completed"), (scene.business_id, "ringing")]
    assert {name for name, _ in await said(scene)} == {"call.leg_ringing.v1"}


async def test_an_inbound_call_moves_no_job_and_holds_no_slot(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    await report_inbound(scene, SID, "in-progress")
    await fold_legs(scene.database, batch=10)
    assert await scene.states(run_id) == {"queued": 1}
    assert await scene.value("SELECT count(*) FROM slots") == 0
    assert await scene.value("SELECT count(*) FROM calls") == 0


async def test_a_leg_to_an_agent_has_a_parent_and_never_ends_its_job(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    attempt = intents.granted[0]
    await scene.report(attempt.attempt_id, PARENT, "in-progress", sequence_number=2)
    await fold_calls(scene.database, batch=10)
    for status, more in (("in-progress", {}), ("completed", {"duration": 7})):
        told = {
            "provider_call_id": PARENT,
            "leg_id": SID,
            "account": scene.account,
            "channel_id": scene.channel_id,
            "attempt_id": attempt.attempt_id,
            "status": status,
        }
        await scene.hear(CallLegReported.model_validate(told | more))
        await fold_legs(scene.database, batch=10)
        await fold_calls(scene.database, batch=10)
    assert await scene.states(run_id) == {"accepted": 1}
    assert await scene.value("SELECT count(*) FROM slots") == 1
    assert await scene.value("SELECT count(*) FROM surplus_calls") == 0
    legs = [body for name, body in await said(scene) if name == "call.leg_ended.v1"]
    assert [(body["direction"], body["parent_call_id"]) for body in legs] == [
        ("outbound", attempt.call_id)
    ]
    assert legs[0]["duration"] == 7
    await scene.report(attempt.attempt_id, PARENT, "completed", sequence_number=3, duration=9)
    await fold_calls(scene.database, batch=10)
    assert await scene.states(run_id) == {"done": 1}


async def test_a_leg_of_an_inbound_call_has_it_for_a_parent(scene: Scene) -> None:
    await report_inbound(scene, PARENT, "in-progress")
    await report_inbound(scene, SID, "completed", parent_call_id=PARENT, duration=4)
    await fold_legs(scene.database, batch=10)
    rows = await scene.rows("SELECT direction, call_id FROM legs ORDER BY direction")
    assert [direction for direction, _ in rows] == ["inbound", "outbound"]
    ended = [body for name, body in await said(scene) if name == "call.leg_ended.v1"]
    assert [body["parent_call_id"] for body in ended] == [rows[0][1]]
