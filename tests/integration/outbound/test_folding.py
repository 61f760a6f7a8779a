"""Facts about calls, in any order and however often: one state, one end, one slot given back."""

from __future__ import annotations

import itertools

import pytest
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.contracts.api import RunEdited, RunPolicy
from trunkline_common.db import transaction
from trunkline_common.ids import BUSINESS, new_id
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.horizons import Horizons, _close, close_silent
from trunkline_outbound.records import Recorded, record

SID = "CA" + "7" * 32
WAY = ("initiated", "ringing", "in-progress", "completed")


async def one_intent(scene: Scene, **policy: int) -> tuple[str, str]:
    """A run with one job that is being sent: (run, attempt)."""
    run_id = await scene.start_run(1, **policy)
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    return run_id, intents.granted[0].attempt_id


async def row_of(scene: Scene) -> list[object]:
    [job] = await scene.rows("SELECT state, outcome, reason, claim_id FROM jobs")
    [call] = await scene.rows("SELECT status, answered, duration, ended_at IS NULL FROM calls")
    [attempt] = await scene.rows("SELECT state, provider_id FROM attempts")
    return [*job, *call, *attempt]


@pytest.mark.defect("D-28")
@pytest.mark.defect("D-57")
@pytest.mark.trap("callbacks early or never")
@pytest.mark.parametrize("order", list(itertools.permutations(WAY)), ids="-".join)
async def test_any_order_with_the_answer_anywhere_gives_one_row(
    scene: Scene, order: tuple[str, ...]
) -> None:
    run_id, attempt_id = await one_intent(scene)
    answer = Recorded(attempt_id, run_id, Result("accepted", provider_id=SID))
    for number, status in enumerate(order):
        more = {"duration": 12} if status == "completed" else {}
        for _ in range(2):
            await scene.report(attempt_id, SID, status, **more)
            await fold_calls(scene.database, batch=100)
        if number == 1:
            await record(scene.database, [answer])
    assert await row_of(scene) == [
        "done",
        "answered",
        "call_answered",
        None,
        "completed",
        True,
        12,
        False,
        "accepted",
        SID,
    ]
    assert await scene.value("SELECT count(*) FROM slots") == 0
    assert await scene.value("SELECT in_use FROM limits WHERE kind = 'account'") == 0
    facts = await scene.rows("SELECT name, count(*) FROM outbox GROUP BY 1 ORDER BY 1")
    once = {"call.answered.v1", "call.dialled.v1", "call.ended.v1", "job.ended.v1"}
    assert {name: count for name, count in facts if name in once} == dict.fromkeys(once, 1)


async def test_a_callback_proves_acceptance_of_an_attempt_in_doubt(scene: Scene) -> None:
    run_id, attempt_id = await one_intent(scene)
    await record(
        scene.database, [Recorded(attempt_id, run_id, Result("in_doubt", reason="time-out"))]
    )
    assert await scene.states(run_id) == {"in_doubt": 1}
    await scene.report(attempt_id, SID, "ringing")
    await fold_calls(scene.database, batch=100)
    assert await scene.states(run_id) == {"accepted": 1}
    assert await scene.value("SELECT resolved_by FROM attempts") == "callback"


async def test_a_stale_rejection_does_not_touch_an_accepted_call(scene: Scene) -> None:
    run_id, attempt_id = await one_intent(scene)
    await scene.report(attempt_id, SID, "ringing")
    await fold_calls(scene.database, batch=100)
    await record(scene.database, [Recorded(attempt_id, run_id, Result("rejected", code="20404"))])
    assert await scene.states(run_id) == {"accepted": 1}


async def test_busy_is_tried_again_and_then_exhausted_under_one_cap(scene: Scene) -> None:
    run_id, attempt_id = await one_intent(scene, max_attempts=2, retry_after=0)
    await scene.report(attempt_id, SID, "busy")
    await fold_calls(scene.database, batch=100)
    assert await scene.states(run_id) == {"waiting": 1}
    again = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    await scene.report(again.granted[0].attempt_id, "CA" + "8" * 32, "no-answer")
    await fold_calls(scene.database, batch=100)
    assert await scene.rows("SELECT state, outcome FROM jobs") == [("exhausted", "no_answer")]
    await scene.report(attempt_id, SID, "completed")  # the first call's late correction
    await fold_calls(scene.database, batch=100)
    assert await scene.rows("SELECT state, outcome FROM jobs") == [("exhausted", "no_answer")]


async def test_only_the_open_attempt_moves_the_job(scene: Scene) -> None:
    run_id, first = await one_intent(scene, max_attempts=2, retry_after=0)
    await scene.report(first, SID, "busy")
    await fold_calls(scene.database, batch=100)
    second = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    await scene.report(first, SID, "completed")  # of the call that is over, while the next flies
    await fold_calls(scene.database, batch=100)
    assert await scene.rows("SELECT state, open_attempt FROM jobs") == [
        ("sending", second.granted[0].attempt_id)
    ]


@pytest.mark.defect("D-20")
async def test_an_event_of_another_business_is_kept_and_applied_to_nobody(scene: Scene) -> None:
    run_id, attempt_id = await one_intent(scene)
    foreign = Scene(scene.database, business_id=new_id(BUSINESS), channel_id=scene.channel_id)
    await foreign.report(attempt_id, SID, "completed")
    await fold_calls(scene.database, batch=100)
    assert await scene.states(run_id) == {"sending": 1}
    assert await scene.rows("SELECT problem FROM call_events") == [("foreign_attempt",)]


@pytest.mark.defect("D-58")
@pytest.mark.trap("sweep to retryable")
async def test_doubt_ends_unknown_at_its_horizon_and_a_late_fact_corrects_it(scene: Scene) -> None:
    run_id, attempt_id = await one_intent(scene)
    await record(
        scene.database, [Recorded(attempt_id, run_id, Result("in_doubt", reason="time-out"))]
    )
    await close_silent(scene.database, Horizons(in_doubt=3600))
    assert await scene.states(run_id) == {"in_doubt": 1}
    async with transaction(scene.database):
        await scene.rows(
            "UPDATE attempts SET send_deadline = clock_timestamp() - interval '2 h' RETURNING 1"
        )
    await close_silent(scene.database, Horizons(in_doubt=3600))
    assert await scene.rows("SELECT state, reason FROM jobs") == [
        ("unknown", "no_proof_of_acceptance")
    ]
    assert await scene.value("SELECT count(*) FROM slots") == 0
    await scene.report(attempt_id, SID, "completed", duration=3)
    await fold_calls(scene.database, batch=100)
    assert await scene.rows("SELECT state, outcome FROM jobs") == [("done", "answered")]


async def dialled_ago(scene: Scene, seconds: int) -> None:
    await scene.rows(
        "UPDATE calls SET dialled_at = clock_timestamp() - make_interval(secs => :s) RETURNING 1",
        s=seconds,
    )


async def test_a_call_is_borne_for_as_long_as_its_run_lets_it_last(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    run_id, attempt_id = await one_intent(scene, ring_timeout=60, time_limit=14_400)
    await record(
        scene.database, [Recorded(attempt_id, run_id, Result("accepted", provider_id=SID))]
    )
    await dialled_ago(scene, 14_400 + 60 + 800)
    await close_silent(scene.database, Horizons(call_margin=900))
    assert await scene.states(run_id) == {"accepted": 1}
    assert "attempt.horizon" not in caplog.messages
    await dialled_ago(scene, 14_400 + 60 + 901)
    await close_silent(scene.database, Horizons(call_margin=900))
    assert await scene.rows("SELECT state, reason FROM jobs") == [("unknown", "no_final_callback")]
    assert await scene.value("SELECT count(*) FROM slots") == 0
    assert caplog.messages.count("attempt.horizon") == 1


async def test_an_edit_does_not_shorten_the_calls_that_are_in_the_air(scene: Scene) -> None:
    run_id, attempt_id = await one_intent(scene, ring_timeout=60, time_limit=14_400)
    await record(
        scene.database, [Recorded(attempt_id, run_id, Result("accepted", provider_id=SID))]
    )
    shorter = RunPolicy(ring_timeout=5, time_limit=60)
    await scene.hear(RunEdited(run_id=run_id, control_id="ctl_1", policy=shorter))
    await dialled_ago(scene, 14_400 + 60 + 800)
    await close_silent(scene.database, Horizons(call_margin=900))
    assert await scene.states(run_id) == {"accepted": 1}
    await dialled_ago(scene, 14_400 + 60 + 901)
    await close_silent(scene.database, Horizons(call_margin=900))
    assert await scene.states(run_id) == {"unknown": 1}


@pytest.mark.parametrize("way", ["answer", "callback"])
async def test_an_edit_between_intent_and_answer_does_not_shorten_the_call(
    scene: Scene, way: str
) -> None:
    """What was sent says how long a call may last, whatever its run says by the answer."""
    run_id, attempt_id = await one_intent(scene, ring_timeout=60, time_limit=14_400)
    shorter = RunPolicy(ring_timeout=5, time_limit=60)
    await scene.hear(RunEdited(run_id=run_id, control_id="ctl_1", policy=shorter))
    if way == "answer":
        answer = Result("accepted", provider_id=SID)
        await record(scene.database, [Recorded(attempt_id, run_id, answer)])
    else:
        await scene.report(attempt_id, SID, "ringing")
        await fold_calls(scene.database, batch=10)
    await dialled_ago(scene, 14_400 + 60 + 800)
    await close_silent(scene.database, Horizons(call_margin=900))
    assert await scene.states(run_id) == {"accepted": 1}


async def test_nothing_is_said_of_a_call_that_ended_while_it_was_looked_for(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    run_id, attempt_id = await one_intent(scene)
    await scene.report(attempt_id, SID, "completed")
    await fold_calls(scene.database, batch=10)
    async with transaction(scene.database) as session:
        await _close(session, {attempt_id: run_id}, state="unknown", reason="no_final_callback")
    assert await scene.rows("SELECT state, outcome FROM jobs") == [("done", "answered")]
    assert caplog.messages == []


@pytest.mark.parametrize("order", [("failed", "no-answer"), ("no-answer", "failed")])
async def test_two_final_words_give_the_higher_whichever_came_first(
    scene: Scene, order: tuple[str, str]
) -> None:
    _, attempt_id = await one_intent(scene)
    for status in order:
        await scene.report(attempt_id, SID, status)
        await fold_calls(scene.database, batch=10)
    assert await scene.rows("SELECT state, outcome FROM jobs") == [("done", "no_answer")]
