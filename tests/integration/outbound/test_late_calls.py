"""Calls that turn up after they were taken for absent: the second is stopped, and no third goes."""

from __future__ import annotations

import pytest
from tests.integration.outbound.stage import Stage

from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.surplus import brake_surplus


async def absent_and_waiting(stage: Stage) -> tuple[str, str]:
    """A job that waits for its second try after its attempt was taken for absent."""
    run_id = await stage.scene.start_run(1, when_absent="resend")
    await stage.fault("error_before_accept", times=1)
    await stage.dispatch(run_id, in_doubt=1)
    await stage.let_the_grace_pass()
    await stage.ask()
    return run_id, str(await stage.scene.value("SELECT attempt_id FROM attempts"))


async def test_a_late_proof_takes_the_job_back_before_it_is_sent_again(stage: Stage) -> None:
    run_id, attempt_id = await absent_and_waiting(stage)
    await stage.scene.report(attempt_id, "CA" + "e" * 32, "ringing")
    await fold_calls(stage.scene.database, batch=10)
    assert await stage.scene.states(run_id) == {"accepted": 1}
    assert await stage.scene.value("SELECT open_attempt FROM jobs") == attempt_id
    assert await stage.scene.value("SELECT count(*) FROM surplus_calls") == 0


async def test_a_late_proof_after_the_second_call_stops_the_second(stage: Stage) -> None:
    scene = stage.scene
    run_id, attempt_id = await absent_and_waiting(stage)
    await stage.dispatch(run_id, accepted=1)
    [second] = await stage.witnessed("call_accepted")
    await scene.report(attempt_id, "CA" + "e" * 32, "ringing")
    await fold_calls(scene.database, batch=10)
    assert await scene.rows("SELECT provider_id, result FROM surplus_calls") == [
        (second["sid"], None)
    ]
    assert await brake_surplus(scene.database, stage.registry, stage.accounts) == 1
    assert await scene.value("SELECT result FROM surplus_calls") in {"stopped", "too_late"}
    assert [e["asked"] for e in await stage.witnessed("call_update")] in (["canceled"], [])


async def test_a_late_proof_while_the_second_is_under_way_stops_the_second(stage: Stage) -> None:
    """Whichever fact comes last finds the other: M_ONESIDED of `tests/models/late.pml`."""
    scene = stage.scene
    run_id, late = await absent_and_waiting(stage)
    await stage.fault("accept_never_answer", times=1)
    await stage.dispatch(run_id, in_doubt=1)
    await scene.report(late, "CA" + "e" * 32, "ringing")
    await fold_calls(scene.database, batch=10)
    assert await scene.value("SELECT count(*) FROM surplus_calls") == 0
    second = str(await scene.value("SELECT open_attempt FROM jobs"))
    await scene.report(second, "CA" + "d" * 32, "ringing")
    await fold_calls(scene.database, batch=10)
    assert await scene.rows("SELECT attempt_id, provider_id FROM surplus_calls") == [
        (second, "CA" + "d" * 32)
    ]


@pytest.mark.parametrize(
    ("said", "state", "outcome"),
    [("ringing", "accepted", None), ("completed", "done", "answered"), ("busy", "done", "busy")],
)
@pytest.mark.parametrize("end", ["absent", "limited", "not sent"])
async def test_nobody_is_tried_a_third_time_whom_the_first_has_reached(
    stage: Stage, end: str, said: str, state: str, outcome: str | None
) -> None:
    scene = stage.scene
    run_id, first = await absent_and_waiting(stage)
    await stage.fault("error_before_accept", times=1)
    await stage.dispatch(run_id, in_doubt=1)
    second = str(await scene.value("SELECT open_attempt FROM jobs"))
    await scene.report(first, "CA" + "e" * 32, said)
    await fold_calls(scene.database, batch=10)
    assert await scene.value("SELECT open_attempt FROM jobs") == second
    await come_to_nothing(stage, run_id, second, end)
    assert await scene.rows("SELECT state, open_attempt, outcome, attempts FROM jobs") == [
        (state, first, outcome, 1)
    ]
    if state == "accepted":
        await scene.report(first, "CA" + "e" * 32, "completed")
        await fold_calls(scene.database, batch=10)
        assert await scene.states(run_id) == {"done": 1}
    assert await scene.value("SELECT count(*) FROM attempts") == 2
    assert await scene.value("SELECT count(*) FROM outbox WHERE name = 'job.ended.v1'") == 1


async def test_who_is_busy_with_our_first_call_is_not_tried_again(stage: Stage) -> None:
    """Found by THREE of `tests/models/late.pml`."""
    scene = stage.scene
    run_id = await scene.start_run(1, when_absent="resend", max_attempts=3, retry_after=0)
    await stage.fault("error_before_accept", times=1)
    await stage.dispatch(run_id, in_doubt=1)
    await stage.let_the_grace_pass()
    await stage.ask()
    first = str(await scene.value("SELECT attempt_id FROM attempts"))
    await stage.dispatch(run_id, accepted=1)
    second = str(await scene.value("SELECT open_attempt FROM jobs"))
    sid = str(await scene.value("SELECT provider_id FROM attempts WHERE state = 'accepted'"))
    await scene.report(first, "CA" + "e" * 32, "ringing")
    await fold_calls(scene.database, batch=10)
    await scene.report(second, sid, "busy")
    await fold_calls(scene.database, batch=10)
    assert await scene.rows("SELECT state, open_attempt, attempts FROM jobs") == [
        ("accepted", first, 2)
    ]
    last = "SELECT decision, rule FROM decisions ORDER BY position DESC LIMIT 1"
    assert await scene.rows(last) == [("accepted", "accepted_late")]
    await scene.report(first, "CA" + "e" * 32, "completed")
    await fold_calls(scene.database, batch=10)
    assert await scene.rows("SELECT state, outcome FROM jobs") == [("done", "answered")]


async def come_to_nothing(stage: Stage, run_id: str, attempt_id: str, end: str) -> None:
    if end == "absent":
        await stage.let_the_grace_pass()
        await stage.ask()
        return
    kinds = {"limited": Result("later", retry_after=1.0), "not sent": Result("not_sent")}
    await record(stage.scene.database, [Recorded(attempt_id, run_id, kinds[end])])
