"""Doubts against a provider that really has, or has not, what it did not answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.integration.outbound.stage import NOWHERE, Stage

from trunkline_common.contracts.api import RunCancelRequested
from trunkline_common.testing import facts
from trunkline_outbound.doubts import Patience, resolve_doubts
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.gateways.twilio_calls import TwilioCalls
from trunkline_outbound.gateways.voice import AccountAccess, Listing
from trunkline_outbound.horizons import Horizons, close_silent
from trunkline_outbound.news import hang_up, poll_silent_calls


@pytest.mark.defect("D-23")
async def test_what_was_accepted_without_an_answer_is_found(stage: Stage) -> None:
    run_id = await stage.scene.start_run(4)
    await stage.fault("accept_never_answer")
    await stage.dispatch(run_id, in_doubt=4)
    await stage.ask()
    assert await stage.scene.states(run_id) == {"accepted": 4}
    assert len(await stage.witnessed("call_accepted")) == 4
    assert await stage.scene.value("SELECT count(*) FROM open_sends") == 0
    assert await stage.scene.value("SELECT count(*) FROM provider_calls") == 4
    assert await stage.scene.value("SELECT count(*) FROM surplus_calls") == 0


async def test_what_was_never_accepted_is_absent_only_after_the_grace(stage: Stage) -> None:
    run_id = await stage.scene.start_run(3)
    await stage.fault("error_before_accept")
    await stage.dispatch(run_id, in_doubt=3)
    await stage.ask()
    assert await stage.scene.states(run_id) == {"in_doubt": 3}
    await stage.let_the_grace_pass()
    await stage.ask()
    assert await stage.scene.states(run_id) == {"unknown": 3}
    assert await stage.scene.value("SELECT string_agg(DISTINCT state, ',') FROM attempts") == (
        "absent"
    )
    assert await stage.scene.value("SELECT count(*) FROM open_sends") == 0
    assert await stage.scene.value("SELECT coalesce(sum(in_use), 0) FROM limits") == 0
    names = await stage.scene.rows("SELECT name, count(*) FROM outbox GROUP BY 1")
    assert {("call.unknown.v1", 3), ("job.ended.v1", 3)} <= set(names)


async def test_a_policy_may_send_again_what_was_proved_absent(stage: Stage) -> None:
    run_id = await stage.scene.start_run(3, when_absent="resend")
    await stage.fault("error_before_accept", times=3)
    await stage.dispatch(run_id, in_doubt=3)
    await stage.let_the_grace_pass()
    await stage.ask()
    assert await stage.scene.states(run_id) == {"waiting": 3}
    assert await stage.scene.value("SELECT max(attempts) FROM jobs") == 0  # it was not one
    await stage.dispatch(run_id, accepted=3)
    accepted = [entry["to"] for entry in await stage.witnessed("call_accepted")]
    assert len(accepted) == len(set(accepted)) == 3


async def test_an_absence_is_not_tried_again_for_ever(stage: Stage) -> None:
    run_id = await stage.scene.start_run(1, when_absent="resend")
    await stage.fault("error_before_accept")
    await stage.dispatch(run_id, in_doubt=1)
    await stage.scene.rows("UPDATE jobs SET misses = 5 RETURNING 1")
    await stage.let_the_grace_pass()
    await stage.ask()
    assert await stage.scene.states(run_id) == {"unknown": 1}


async def test_a_silent_provider_proves_nothing(stage: Stage) -> None:
    run_id = await stage.scene.start_run(2)
    await stage.fault("error_before_accept")
    await stage.dispatch(run_id, in_doubt=2)
    await stage.let_the_grace_pass()
    await stage.scene.open_channel(version=2)
    dead = TwilioCalls(stage.http, NOWHERE)
    for _ in range(2):
        await stage.scene.rows("UPDATE attempts SET poll_at = NULL RETURNING 1")
        await resolve_doubts(stage.scene.database, dead, stage.accounts, Patience())
    assert await stage.scene.states(run_id) == {"in_doubt": 2}
    await close_silent(stage.scene.database, Horizons(in_doubt=1))
    assert await stage.scene.states(run_id) == {"unknown": 2}


async def test_a_lagging_list_is_asked_until_it_shows_the_call(stage: Stage) -> None:
    run_id = await stage.scene.start_run(1)
    await stage.fault("accept_never_answer")
    await stage.fault("list_lag", seconds=3600, times=1)
    await stage.dispatch(run_id, in_doubt=1)
    await stage.ask()
    assert await stage.scene.states(run_id) == {"in_doubt": 1}
    await stage.ask()
    assert await stage.scene.states(run_id) == {"accepted": 1}


class LateAnswers(TwilioCalls):
    """Its answers come 20 s after the doubts were picked; both clocks have gone on then."""

    passed = 0.0

    def clock(self) -> float:
        return self.passed

    async def between(self, access: AccountAccess, *, sender: str, to: str) -> Listing:
        listing = await super().between(access, sender=sender, to=to)
        assert listing.told_at is not None
        self.passed += 20.0
        return replace(listing, told_at=listing.told_at + timedelta(seconds=20))


async def test_a_wait_for_the_answer_is_not_taken_for_clocks_that_differ(stage: Stage) -> None:
    scene = stage.scene
    run_id = await scene.start_run(1, when_absent="resend")
    await stage.fault("accept_never_answer")
    await stage.dispatch(run_id, in_doubt=1)
    await scene.rows("UPDATE attempts SET send_deadline = intent_at - interval '1 h' RETURNING 1")
    late = LateAnswers(stage.http, stage.url)
    for _ in range(2):
        await scene.rows("UPDATE attempts SET poll_at = NULL RETURNING 1")
        patience = Patience()
        await resolve_doubts(scene.database, late, stage.accounts, patience, clock=late.clock)
    assert await scene.states(run_id) == {"accepted": 1}


@pytest.mark.trap("callbacks early or never")
async def test_a_call_without_callbacks_is_followed_to_its_end(stage: Stage) -> None:
    scene = stage.scene
    run_id = await scene.start_run(6)
    await stage.dispatch(run_id, accepted=6)

    async def over() -> bool:
        await scene.rows("UPDATE calls SET poll_at = clock_timestamp() RETURNING 1")
        await poll_silent_calls(scene.database, stage.registry, stage.accounts, first=60)
        await fold_calls(scene.database, batch=100)
        return await scene.value("SELECT count(*) FROM calls WHERE ended_at IS NULL") == 0

    await facts.eventually(over, 60)
    assert await scene.states(run_id) == {"done": 6}
    said = await stage.witnessed("call_status")
    theirs = sorted(entry["status"] for entry in said if entry["final"])
    ours = await scene.rows("SELECT status FROM calls ORDER BY 1")
    assert [str(status) for (status,) in ours] == theirs


async def test_a_silent_call_is_asked_about_less_and_less(stage: Stage) -> None:
    scene = stage.scene
    run_id = await scene.start_run(1)
    await stage.dispatch(run_id, accepted=1)
    waits = []
    for _ in range(3):
        await scene.rows("UPDATE calls SET poll_at = clock_timestamp() RETURNING 1")
        await poll_silent_calls(scene.database, stage.registry, stage.accounts, first=100)
        waits.append(
            await scene.value("SELECT round(extract(epoch FROM poll_at - now()), -1) FROM calls")
        )
    assert [int(str(wait)) for wait in waits] == [100, 200, 400]


async def test_the_first_question_about_a_call_comes_when_the_setting_says(stage: Stage) -> None:
    scene = stage.scene
    await stage.dispatch(await scene.start_run(1), accepted=1)

    async def asked(first: float) -> int:
        return await poll_silent_calls(scene.database, stage.registry, stage.accounts, first=first)

    assert await asked(30) == 0
    await facts.eventually(lambda: asked(1), 10)
    assert await asked(1) == 0, "and the next one later"


async def test_a_cancel_may_hang_up(stage: Stage) -> None:
    scene = stage.scene
    run_id = await scene.start_run(3, time_limit=600)
    await stage.dispatch(run_id, accepted=3)
    assert await hang_up(scene.database, stage.registry, stage.accounts) == 0
    await scene.hear(RunCancelRequested(run_id=run_id, control_id="c", hang_up=True))
    assert await hang_up(scene.database, stage.registry, stage.accounts) == 3
    assert await hang_up(scene.database, stage.registry, stage.accounts) == 0
    asked = await stage.witnessed("call_update")
    said = await stage.witnessed("call_status")
    over = {entry["sid"] for entry in said if entry["final"]}
    calls = {entry["sid"] for entry in await stage.witnessed("call_accepted")}
    assert {entry["sid"] for entry in asked} | over == calls


async def test_another_try_after_a_busy_call_is_no_surplus(stage: Stage) -> None:
    scene = stage.scene
    run_id = await scene.start_run(1, max_attempts=2, retry_after=0)
    await stage.dispatch(run_id, accepted=1)
    first = str(await scene.value("SELECT open_attempt FROM jobs"))
    sid = str(await scene.value("SELECT provider_id FROM attempts"))
    await scene.report(first, sid, "busy")
    await fold_calls(scene.database, batch=10)
    await stage.dispatch(run_id, accepted=1)
    assert await scene.value("SELECT count(*) FROM attempts WHERE state = 'accepted'") == 2
    assert await scene.value("SELECT count(*) FROM surplus_calls") == 0


async def test_two_ids_for_one_attempt_are_a_surplus(stage: Stage) -> None:
    scene = stage.scene
    run_id = await scene.start_run(1)
    await stage.dispatch(run_id, accepted=1)
    attempt_id = str(await scene.value("SELECT attempt_id FROM attempts"))
    await scene.report(attempt_id, "CA" + "f" * 32, "queued")
    await fold_calls(scene.database, batch=10)
    assert await scene.value("SELECT provider_id FROM surplus_calls") == "CA" + "f" * 32


async def test_a_twin_does_not_end_the_call_that_is_talking(stage: Stage) -> None:
    scene = stage.scene
    run_id = await scene.start_run(1, max_attempts=3)
    await stage.dispatch(run_id, accepted=1)
    attempt_id = str(await scene.value("SELECT attempt_id FROM attempts"))
    first = str(await scene.value("SELECT provider_id FROM attempts"))
    await scene.report(attempt_id, first, "in-progress", sequence_number=2)
    await scene.report(attempt_id, "CA" + "f" * 32, "busy", sequence_number=3)
    await fold_calls(scene.database, batch=10)
    assert await scene.states(run_id) == {"accepted": 1}
    assert await scene.value("SELECT count(*) FROM slots") == 1
    assert await scene.value("SELECT provider_id FROM surplus_calls") == "CA" + "f" * 32
    await scene.report(attempt_id, first, "completed", sequence_number=4, duration=9)
    await fold_calls(scene.database, batch=10)
    assert await scene.states(run_id) == {"done": 1}
    assert await scene.value("SELECT outcome FROM jobs") == "answered"
