"""What a provider's limits and refusals cost: time, and never a contact's attempts."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.outbound.scene import FakeVoice, Scene
from tests.integration.outbound.test_claims import claim, intend
from tests.integration.outbound.test_dispatch import running, until_states

from trunkline_common.db import pace, transaction
from trunkline_common.ids import account_scope
from trunkline_common.testing import eventually
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.runs import WORK

LIMITED = Result("later", code="20429", retry_after=1)
BUSY_SID = "CA" + "9" * 32


async def tried(scene: Scene, run_id: str, result: Result) -> str:
    """One try of the only job of a run, with its result; the attempt."""
    await scene.rows(
        "UPDATE jobs SET due_at = clock_timestamp() WHERE state = 'waiting' RETURNING 1"
    )
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    attempt_id = intents.granted[0].attempt_id
    await record(scene.database, [Recorded(attempt_id, run_id, result)])
    return attempt_id


@pytest.mark.parametrize("result", [LIMITED, Result("not_sent")], ids=lambda r: r.kind)
async def test_what_was_no_call_is_no_attempt_of_the_contact(scene: Scene, result: Result) -> None:
    run_id = await scene.start_run(1, max_attempts=3, retry_after=0)
    for _ in range(2):
        await tried(scene, run_id, result)
    attempt_id = await tried(scene, run_id, Result("accepted", provider_id=BUSY_SID))
    await scene.report(attempt_id, BUSY_SID, "busy")
    await fold_calls(scene.database, batch=10)
    assert await scene.rows("SELECT state, attempts FROM jobs") == [("waiting", 1)]


async def test_back_off_grows_although_the_attempts_do_not(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    waits = []
    for _ in range(3):
        await tried(scene, run_id, Result("not_sent"))
        waits.append(
            await scene.value("SELECT round(extract(epoch FROM due_at - changed_at)) FROM jobs")
        )
    assert [int(str(wait)) for wait in waits] == [5, 10, 20]
    assert await scene.rows("SELECT attempts, misses FROM jobs") == [(0, 3)]


async def rate(scene: Scene) -> float:
    """Requests a second that the account may make now."""
    async with transaction(scene.database) as session:
        scope = account_scope(scene.business_id, scene.account)
        return 1 / (await pace.reserve(session, scope, wanted=1)).interval


async def passed(scene: Scene, seconds: int) -> None:
    await scene.rows(
        "UPDATE pace SET lowered_at = lowered_at - make_interval(secs => :s),"
        " limited_at = limited_at - make_interval(secs => :s) RETURNING 1",
        s=seconds,
    )


async def test_a_limit_halves_the_pace_once_a_step_and_it_rises_by_itself(scene: Scene) -> None:
    scene.per_second = 100.0
    await scene.open_channel(version=2)
    run_id = await scene.start_run(1)
    rates = [await rate(scene)]
    for seconds, limited in (
        (0, True),
        (5, True),
        (11, True),
        (0, False),
        (10, False),
        (90, False),
    ):
        await passed(scene, seconds)
        if limited:
            await tried(scene, run_id, LIMITED)
        rates.append(await rate(scene))
    assert rates == pytest.approx([100, 50, 50, 30, 30, 40, 100])


async def test_a_pace_never_falls_below_its_floor(scene: Scene) -> None:
    scene.per_second = 20.0
    await scene.open_channel(version=2)
    run_id = await scene.start_run(1)
    for _ in range(6):
        await tried(scene, run_id, LIMITED)
        await scene.rows("UPDATE pace SET lowered_at = NULL, tat = now() RETURNING 1")
    assert await rate(scene) == pytest.approx(2.0)


async def test_refused_credentials_cost_one_try_a_hold_and_no_contact(scene: Scene) -> None:
    run_id = await scene.start_run(20, max_attempts=1)
    first, second = asyncio.Event(), asyncio.Event()
    voice = FakeVoice(answer=lambda _order: Result("misconfigured", code="20003"), gate=first)
    async with running(scene.dispatcher(voice, concurrency=4, micro_batch=1)):

        async def full() -> bool:
            return len(voice.waiting) == 4

        async def held() -> bool:
            return bool(await scene.value("SELECT held_until > clock_timestamp() FROM channels"))

        async def all_wait() -> bool:
            return set(await scene.states(run_id)) <= {"queued", "waiting"}

        await eventually(full)
        voice.gate = second  # who comes after the four waits until the hold is there
        first.set()
        await eventually(held)
        # An intent that read the channel before the hold may commit after it: it holds its claim.
        await scene.rows("SELECT 1 FROM claims FOR NO KEY UPDATE")
        second.set()
        await eventually(all_wait)
        before = voice.asked
        assert before <= 8  # four in the air, and four that were on their way before the hold
        await scene.rows("UPDATE channels SET held_until = clock_timestamp() RETURNING 1")
        scene.database.waker.wake(WORK)  # or the dispatcher looks by itself, later

        async def tried_again() -> bool:
            return voice.asked > before

        await eventually(tried_again)
        await eventually(all_wait)
        assert (voice.asked, await held()) == (before + 1, True)
        voice.answer = lambda _order: Result("accepted")
        await scene.open_channel(version=2)  # the repair lifts the hold at once
        await until_states(scene, run_id, {"accepted": 20})
    assert await scene.value("SELECT max(attempts) FROM jobs") == 1
    rows = await scene.rows("SELECT DISTINCT rule, detail FROM decisions")
    assert ("channel_refused", "20003") in rows


async def test_an_answer_to_the_credentials_of_before_holds_nothing(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    await scene.open_channel(version=2)
    refused = Recorded(intents.granted[0].attempt_id, run_id, Result("misconfigured", code="20003"))
    await record(scene.database, [refused])
    assert await scene.value("SELECT held_until > clock_timestamp() FROM channels") is False


async def test_after_a_hold_one_request_goes_first_whoever_asks(scene: Scene) -> None:
    run_id = await scene.start_run(20)
    one, two = await claim(scene, run_id, "w1"), await claim(scene, run_id, "w2")
    first = (await intend(scene, one, "w1", wanted=1)).granted[0].attempt_id
    refused = Recorded(first, run_id, Result("misconfigured", code="20003"))
    await record(scene.database, [refused])
    assert (await intend(scene, one, "w1")).granted == ()
    await scene.rows("UPDATE channels SET held_until = clock_timestamp() RETURNING 1")
    granted = [*(await intend(scene, one, "w1")).granted, *(await intend(scene, two, "w2")).granted]
    assert len(granted) == 1
    trial = Recorded(granted[0].attempt_id, run_id, Result("accepted", provider_id=BUSY_SID))
    await record(scene.database, [trial])
    assert len((await intend(scene, two, "w2")).granted) == 10
