"""A contact's budget holds over runs and channels, also when two want the last unit at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_business_limits import settings
from tests.integration.outbound.test_claims import claim, intend
from tests.integration.outbound.test_suppression_gate import holding, waits_for

from trunkline_common.contracts.messaging import MessageCancelled, MessageDelivered, MessageFailed
from trunkline_common.db import transaction
from trunkline_common.ids import CHANNEL, MESSAGE, new_id
from trunkline_common.testing import facts
from trunkline_outbound.acceptance import Acceptance, accept
from trunkline_outbound.admitted import Intents
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.results import fold_messages
from trunkline_outbound.store import attempts, touches

SID = "CA" + "5" * 32


async def budget(scene: Scene, most: int, days: int = 7, *, version: int = 1) -> None:
    await settings(scene, version, contact_budget={"most": most, "days": days})


async def whatsapp(scene: Scene) -> Scene:
    """The same business's other channel."""
    other = replace(scene, kind="whatsapp", channel_id=new_id(CHANNEL), account="109876543210")
    await other.open_channel()
    return other


async def once(scene: Scene, run_id: str) -> Intents:
    return await intend(scene, await claim(scene, run_id, "w1"), "w1")


async def touched(scene: Scene) -> object:
    return await scene.value("SELECT count(*) FROM touches")


async def answered(scene: Scene, intents: Intents, result: Result) -> None:
    assert intents.run is not None
    run_id = intents.run.run_id
    await record(scene.database, [Recorded(a.attempt_id, run_id, result) for a in intents.granted])


async def test_without_a_budget_nothing_is_counted(scene: Scene) -> None:
    assert len((await once(scene, await scene.start_run(3))).granted) == 3
    assert await touched(scene) == 0


async def test_over_budget_a_job_waits_until_the_oldest_touch_leaves(scene: Scene) -> None:
    await budget(scene, 2)
    for _ in range(2):
        sent = await once(scene, await scene.start_run(1))
        await answered(scene, sent, Result("accepted", provider_id=new_id("CA")))
    await scene.rows(
        "UPDATE touches SET touched_at = touched_at - interval '5 days' WHERE touched_at ="
        " (SELECT min(touched_at) FROM touches) RETURNING 1"
    )
    run_id = await scene.start_run(1)
    assert not (await once(scene, run_id)).granted
    assert await scene.states(run_id) == {"waiting": 1}
    due = (
        "SELECT due_at = (SELECT min(touched_at) + interval '7 days' FROM touches), reason"
        " FROM jobs WHERE run_id = :r"
    )
    assert await scene.rows(due, r=run_id) == [(True, "contact_budget")]
    logged = await scene.rows("SELECT decision, rule, not_before IS NOT NULL FROM decisions")
    assert logged == [("deferred", "contact_budget", True)]


async def test_both_channels_spend_of_one_budget(scene: Scene) -> None:
    await budget(scene, 1)
    other = await whatsapp(scene)
    assert (await once(other, await other.start_run(2))).count == 2
    run_id = await scene.start_run(3)
    assert len((await once(scene, run_id)).granted) == 1
    assert await scene.states(run_id) == {"waiting": 2, "sending": 1}


async def test_another_businesss_contacts_are_not_counted(scene: Scene) -> None:
    other = Scene(scene.database, account="AC" + "b" * 32)
    await other.open_channel()
    await budget(scene, 1)
    await budget(other, 1)
    for each in (scene, other):
        assert len((await once(each, await each.start_run(2))).granted) == 2


@pytest.mark.parametrize(
    ("result", "left"),
    [
        (Result("not_sent"), 0),
        (Result("later", code="20429", retry_after=1), 0),
        (Result("rejected", code="21211"), 0),
        (Result("misconfigured", code="20003"), 0),
        (Result("in_doubt"), 1),
        (Result("accepted", provider_id=SID), 1),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
async def test_what_never_reached_out_is_given_back(
    scene: Scene, result: Result, left: int
) -> None:
    await budget(scene, 1)
    sent = await once(scene, await scene.start_run(1))
    assert await touched(scene) == 1
    await answered(scene, sent, result)
    assert await touched(scene) == left


async def test_an_absent_call_is_given_back_and_counts_again_if_it_turns_up(scene: Scene) -> None:
    await budget(scene, 1)
    run_id = await scene.start_run(1)
    sent = await once(scene, run_id)
    await answered(scene, sent, Result("in_doubt"))
    attempt_id = sent.granted[0].attempt_id
    result = (attempt_id, "absent", None, "gone")
    async with transaction(scene.database) as session:
        await attempts.settle(session, [result], run_ids=[run_id], said_by="poll")
    assert await touched(scene) == 0
    async with transaction(scene.database) as session:
        known = await attempts.get_attempts(session, [attempt_id], run_ids=[run_id])
        await accept(session, [Acceptance(known[attempt_id], SID, "callback")])
    same = "SELECT touched_at = intent_at FROM touches JOIN attempts USING (attempt_id)"
    assert await scene.rows(same) == [(True,)]


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ((MessageCancelled,), 0),
        ((MessageFailed,), 0),
        ((MessageDelivered,), 1),
        ((MessageFailed, MessageDelivered), 1),
    ],
    ids=lambda value: "-".join(k.__name__ for k in value) if isinstance(value, tuple) else None,
)
async def test_a_message_that_reached_nobody_is_given_back(
    scene: Scene, kinds: tuple[type[MessageFailed], ...], left: int
) -> None:
    await budget(scene, 1)
    other = await whatsapp(scene)
    run_id = await other.start_run(1)
    await once(other, run_id)
    attempt_id = await scene.value("SELECT attempt_id FROM attempts")
    for kind in kinds:
        fields = {
            "message_id": new_id(MESSAGE),
            "attempt_id": attempt_id,
            "channel_id": other.channel_id,
            "run_id": run_id,
            "seq": 1,
            "code": "131026",
            "reason": "undeliverable",
        }
        await other.hear(kind.model_validate(fields))
        await fold_messages(scene.database, batch=10)
    assert await touched(scene) == left


async def test_two_intents_never_both_take_the_last_unit(scene: Scene) -> None:
    """The call's intent has counted and not committed: the message's waits, and then sees it."""
    await budget(scene, 1)
    other = await whatsapp(scene)
    calls, messages = await scene.start_run(3), await other.start_run(3)
    one, two = await claim(scene, calls, "w1"), await claim(other, messages, "w2")
    held = "SELECT 1 FROM limits FOR UPDATE"
    async with asyncio.TaskGroup() as group, holding(scene, held):
        first = group.create_task(intend(scene, one, "w1"))
        await facts.eventually(lambda: waits_for(scene, "transactionid"))
        second = group.create_task(intend(other, two, "w2"))
        await facts.eventually(lambda: waits_for(scene, "advisory"))
    assert (len(first.result().granted), second.result().count) == (3, 0)
    assert await scene.states(messages) == {"waiting": 3}


async def test_whoever_comes_at_once_no_address_has_more_than_its_budget(scene: Scene) -> None:
    await budget(scene, 2)
    others = [await whatsapp(scene)]
    for n in range(2):
        others.append(replace(others[0], channel_id=new_id(CHANNEL), account=f"1098765432{n}"))
        await others[-1].open_channel()
    held = []
    for each in [scene, *others, *others]:
        run_id = await each.start_run(30)
        held.append((each, await claim(each, run_id, "w1", wanted=30)))
    async with asyncio.TaskGroup() as group:
        for each, taken in held:
            for _ in range(6):
                group.create_task(intend(each, taken, "w1", wanted=5))
    spent = await scene.rows("SELECT address, count(*) FROM touches GROUP BY 1")
    assert [count for _, count in spent] == [2] * 30


async def test_old_touches_are_forgotten(scene: Scene) -> None:
    await budget(scene, 1)
    await once(scene, await scene.start_run(2))
    await scene.rows(
        "UPDATE touches SET touched_at = touched_at - interval '92 days' WHERE attempt_id ="
        " (SELECT min(attempt_id) FROM touches) RETURNING 1"
    )
    async with transaction(scene.database) as session:
        assert await touches.prune(session) == 1
        assert (await session.execute(text("SELECT count(*) FROM touches"))).scalar() == 1
