"""Controls: nothing is admitted after them, and what they answer is what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.integration.outbound.scene import FakeVoice, Scene
from tests.integration.outbound.test_claims import claim, expire, intend

from trunkline_common.contracts.api import (
    AudienceContact,
    RunAudienceAdded,
    RunAudienceClosed,
    RunCancelRequested,
    RunEdited,
    RunPauseRequested,
    RunPolicy,
    RunResumeRequested,
)
from trunkline_common.contracts.envelope import Event
from trunkline_common.ids import BUSINESS, CONTACT, RUN, new_id
from trunkline_common.loops import Stop
from trunkline_common.outcomes import Refuse, TryLater
from trunkline_common.testing import facts
from trunkline_outbound import runs as lives
from trunkline_outbound.cancelling import finish_cancelled
from trunkline_outbound.claims import doubt_stranded, next_claim
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.store.claims import Lease

CONTROLS: dict[str, type[Any]] = {
    "pause": RunPauseRequested,
    "resume": RunResumeRequested,
    "cancel": RunCancelRequested,
}


async def ask(scene: Scene, control: str, run_id: str, **more: object) -> dict[str, Any]:
    """Ask, and return what outbound said last."""
    await scene.hear(CONTROLS[control](run_id=run_id, control_id=f"ctl_{control}", **more))
    return await last_word(scene)


async def last_word(scene: Scene) -> dict[str, Any]:
    """What was said of a run last; of its calls others speak meanwhile."""
    [row] = await scene.rows(
        "SELECT name, CAST(payload AS jsonb) FROM outbox WHERE name LIKE 'run.%'"
        " ORDER BY position DESC LIMIT 1"
    )
    name, said = row
    assert isinstance(said, dict)
    return {"name": name, **said}


async def state_of(scene: Scene, run_id: str) -> object:
    return await scene.value("SELECT state FROM runs WHERE run_id = :r", r=run_id)


@asynccontextmanager
async def dispatching(scene: Scene, voice: FakeVoice, **settings: object) -> AsyncIterator[None]:
    """A dispatcher at work, drained at the end."""
    stop = Stop()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(scene.dispatcher(voice, **settings).run(stop))
        try:
            yield
        finally:
            stop.set()


@pytest.mark.parametrize("control", ["pause", "cancel"])
async def test_no_intent_commits_after_it(scene: Scene, control: str) -> None:
    run_id = await scene.start_run(10)
    ranged = await claim(scene, run_id, "w1", wanted=5)
    await intend(scene, ranged, "w1", wanted=2)
    await ask(scene, control, run_id)
    assert (await intend(scene, ranged, "w1")).lost
    assert await next_claim(scene.database, run_id, lease=Lease("w2", 30), wanted=5) is None
    assert await scene.value("SELECT count(*) FROM attempts") == 2


async def test_a_cancel_waits_for_the_intent_under_way_and_counts_it(scene: Scene) -> None:
    """I4 by commit order: whoever holds the claim's row goes first, and is in the receipt."""
    run_id = await scene.start_run(200)
    held = await claim(scene, run_id, "w1", wanted=200)
    async with asyncio.TaskGroup() as group:
        intents = [group.create_task(intend(scene, held, "w1", wanted=3)) for _ in range(20)]
        cancelled = group.create_task(ask(scene, "cancel", run_id))
    admitted = sum(len(task.result().granted) for task in intents)
    receipt = cancelled.result()
    assert (receipt["stopped"], receipt["in_flight"]) == (200 - admitted, admitted)
    assert await scene.value("SELECT count(*) FROM attempts") == admitted


async def test_a_cancelled_run_ends_when_its_last_request_has(scene: Scene) -> None:
    run_id = await scene.start_run(10)
    gate = asyncio.Event()
    voice = FakeVoice(gate=gate)
    async with dispatching(scene, voice, concurrency=4, claim_size=6):
        await facts.eventually(lambda: _count(scene, "sending", 4, run_id))
        receipt = await ask(scene, "cancel", run_id)
        assert receipt["name"] == "run.cancelling.v1"
        assert [receipt[n] for n in ("stopped", "in_flight", "ended")] == [6, 4, 0]
        await finish_cancelled(scene.database, chunk=4)
        assert await scene.states(run_id) == {"cancelled": 6, "sending": 4}
        assert await state_of(scene, run_id) == "cancelling"
        # The flag is seen before the last byte: what had not left does not leave.
        await facts.eventually(lambda: not any(may_send() for may_send in voice.waiting))
        gate.set()
    assert (len(voice.waiting), voice.asked) == (4, 0)
    await finish_cancelled(scene.database)
    assert await scene.states(run_id) == {"cancelled": 10}
    assert await state_of(scene, run_id) == "cancelled"
    over = await last_word(scene)
    assert (over["name"], over["states"]) == ("run.cancelled.v1", {"cancelled": 10})
    assert await scene.value("SELECT count(*) FROM claims WHERE closed_at IS NULL") == 0
    assert await scene.value("SELECT coalesce(sum(in_use), 0) FROM limits") == 0


async def _count(scene: Scene, state: str, wanted: int, run_id: str) -> bool:
    return (await scene.states(run_id)).get(state) == wanted


async def test_calls_in_the_air_end_by_themselves_and_are_counted(scene: Scene) -> None:
    run_id = await scene.start_run(3)
    voice = FakeVoice()
    async with dispatching(scene, voice):
        await facts.eventually(lambda: _count(scene, "accepted", 3, run_id))
    receipt = await ask(scene, "cancel", run_id)
    assert [receipt[n] for n in ("stopped", "in_flight", "ended")] == [0, 3, 0]
    await finish_cancelled(scene.database)
    assert await state_of(scene, run_id) == "cancelling"


async def test_a_later_that_comes_after_the_cancel_is_closed_too(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    await ask(scene, "cancel", run_id)
    await finish_cancelled(scene.database)
    await scene.rows("UPDATE runs SET state = 'cancelling' WHERE run_id = :r RETURNING 1", r=run_id)
    await scene.rows(
        "UPDATE jobs SET state = 'waiting', due_at = now() + interval '1 hour' RETURNING 1"
    )
    await finish_cancelled(scene.database)
    assert await scene.states(run_id) == {"cancelled": 2}
    assert await state_of(scene, run_id) == "cancelled"


async def test_a_lost_worker_of_a_cancelled_run_leaves_doubt_and_no_send(scene: Scene) -> None:
    run_id = await scene.start_run(5)
    held = await claim(scene, run_id, "w1")
    await intend(scene, held, "w1", wanted=2)
    await ask(scene, "cancel", run_id)
    await finish_cancelled(scene.database)
    assert await scene.states(run_id) == {"cancelled": 3, "sending": 2}
    await expire(scene)
    await doubt_stranded(scene.database, lease=30)
    assert await scene.states(run_id) == {"cancelled": 3, "in_doubt": 2}


async def test_pause_and_resume_lose_nobody_and_call_nobody_twice(scene: Scene) -> None:
    run_id = await scene.start_run(300)
    voice = FakeVoice()
    async with dispatching(scene, voice, concurrency=5, claim_size=20):
        for wanted in (20, 60, 120):
            await facts.eventually(lambda n=wanted: voice.asked >= n)  # type: ignore[misc]  # bound now
            paused = await ask(scene, "pause", run_id)
            assert paused["name"] == "run.paused.v1"
            await facts.eventually(lambda: _none_sending(scene))
            asked = voice.asked
            assert await next_claim(scene.database, run_id, lease=Lease("x", 30), wanted=1) is None
            assert voice.asked == asked
            assert (await ask(scene, "resume", run_id))["name"] == "run.resumed.v1"
        await facts.eventually(lambda: _count(scene, "accepted", 300, run_id), 30)
    assert len(voice.dialled) == len(set(voice.dialled)) == 300


async def _none_sending(scene: Scene) -> bool:
    return await scene.value("SELECT count(*) FROM jobs WHERE state = 'sending'") == 0


async def test_to_ask_twice_answers_the_same(scene: Scene) -> None:
    run_id = await scene.start_run(7)
    first, again = await ask(scene, "pause", run_id), await ask(scene, "pause", run_id)
    assert first == again
    receipt = await ask(scene, "cancel", run_id)
    await finish_cancelled(scene.database)
    repeated = await ask(scene, "cancel", run_id, hang_up=True)
    assert repeated == {**receipt, "hang_up": True, "step": repeated["step"]}


@pytest.mark.parametrize(
    ("state", "control"),
    [
        ("ready", "pause"),
        ("ready", "resume"),
        ("cancelling", "pause"),
        ("cancelling", "resume"),
        ("completed", "pause"),
        ("completed", "cancel"),
        ("cancelled", "resume"),
        ("failed", "pause"),
    ],
)
async def test_what_does_not_fit_is_refused_and_changes_nothing(
    scene: Scene, state: str, control: str
) -> None:
    run_id = await scene.start_run(2)
    await scene.rows(
        "UPDATE runs SET state = :s, ends_as = 'cancelled' WHERE run_id = :r RETURNING 1",
        s=state,
        r=run_id,
    )
    refused = await ask(scene, control, run_id)
    assert (refused["name"], refused["state"]) == ("run.control_refused.v1", state)
    assert refused["control_id"] == f"ctl_{control}"
    assert await state_of(scene, run_id) == state


@pytest.mark.defect("D-21")
@pytest.mark.parametrize("control", ["pause", "resume", "cancel"])
async def test_another_business_cannot_ask(scene: Scene, control: str) -> None:
    run_id = await scene.start_run(2)
    event: Event = CONTROLS[control](run_id=run_id, control_id="c")
    with pytest.raises(Refuse):
        await scene.hear(event, business_id=new_id(BUSINESS))
    assert await state_of(scene, run_id) == "running"


async def test_a_control_that_overtakes_its_run_is_tried_again(scene: Scene) -> None:
    with pytest.raises(TryLater):
        await ask(scene, "cancel", new_id(RUN))


async def test_who_comes_after_the_cancel_is_not_added(scene: Scene) -> None:
    run_id = new_id(RUN)
    await scene.hear(scene.requested(run_id))
    contact = AudienceContact(contact_id=new_id(CONTACT), address="+12025550001")
    await ask(scene, "cancel", run_id)
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=1, contacts=(contact,)))
    await scene.hear(RunAudienceClosed(run_id=run_id, chunks=1, contacts=1))
    await finish_cancelled(scene.database)
    await lives.start_due_runs(scene.database)
    assert await state_of(scene, run_id) == "cancelled"
    assert await scene.states(run_id) == {}


async def test_an_edit_counts_for_the_next_intent(scene: Scene) -> None:
    run_id = await scene.start_run(10, concurrent=2)
    held = await claim(scene, run_id, "w1")
    assert len((await intend(scene, held, "w1")).granted) == 2
    policy = RunPolicy(concurrent=5)
    await scene.hear(RunEdited(run_id=run_id, control_id="c", policy=policy))
    assert (await last_word(scene))["policy"]["concurrent"] == 5
    held = await claim(scene, run_id, "w1")
    assert len((await intend(scene, held, "w1")).granted) == 3
    await scene.hear(RunEdited(run_id=run_id, control_id="c", policy=RunPolicy()))
    held = await claim(scene, run_id, "w1")
    assert len((await intend(scene, held, "w1")).granted) == 5


async def test_a_cap_may_come_and_go_while_calls_are_in_the_air(scene: Scene) -> None:
    """The run's row counts its calls from the first one on, or freeing them would go below none."""
    run_id = await scene.start_run(3)
    voice = FakeVoice()
    async with dispatching(scene, voice):
        await facts.eventually(lambda: _count(scene, "accepted", 3, run_id))
    for policy in (RunPolicy(), RunPolicy(concurrent=1)):
        await scene.hear(RunEdited(run_id=run_id, control_id="c", policy=policy))
    for attempt_id, provider_id in await scene.rows("SELECT attempt_id, provider_id FROM attempts"):
        await scene.report(str(attempt_id), str(provider_id), "completed", duration=1)
    await fold_calls(scene.database, batch=10)
    assert await scene.states(run_id) == {"done": 3}
    assert await scene.value("SELECT max(in_use) FROM limits") == 0
