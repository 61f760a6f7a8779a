"""What Meta says of a message, in any order, repeated, early or of somebody else's."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.integration.messaging.scene import Scene, sending

from trunkline_common.db import Database
from trunkline_common.ids import ATTEMPT, BUSINESS, new_id
from trunkline_common.testing import eventually
from trunkline_messaging.folding import fold

ALL = ["sent", "delivered", "read", "failed"]


async def _sent(scene: Scene, count: int = 1) -> dict[str, str]:
    """Messages accepted by the sandbox: the provider's id by attempt."""
    attempts = await scene.run_messages(count)
    async with sending(scene):
        await eventually(lambda: _accepted(scene, count))
    assert set(attempts) == {e["reference"] for e in await scene.accepted()}
    return {e["reference"]: e["sid"] for e in await scene.accepted()}


async def _accepted(scene: Scene, count: int) -> bool:
    return (await scene.states()).get("accepted", 0) == count


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_and_repetition_give_one_state_and_each_fact_once(
    scene: Scene, seed: int
) -> None:
    sent = await _sent(scene, 5)
    said = [(attempt, wamid, status) for attempt, wamid in sent.items() for status in ALL] * 2
    dice = random.Random(seed)
    dice.shuffle(said)
    for attempt, wamid, status in said:
        await scene.report(status, wamid, dice.choice([attempt, None]))
        if dice.random() < 0.3:
            await scene.fold()
    await scene.fold()
    assert await scene.rows("SELECT DISTINCT state, delivery FROM messages") == [
        ("accepted", "read")
    ]
    facts = await scene.facts()
    for status in ("accepted", *ALL):
        assert facts.count(f"message.{status}.v1") == 5


async def test_a_status_before_the_answer_is_proof_and_the_answer_adds_nothing(
    scene: Scene,
) -> None:
    await scene.fault("delay_answer", milliseconds=600, times=1)
    (attempt_id,) = await scene.run_messages(1)
    async with sending(scene, answer_within=3):
        (accepted,) = await eventually(scene.accepted)
        await scene.report("sent", accepted["sid"], attempt_id)
        await scene.fold()
        assert await scene.states() == {"accepted": 1}
    assert await scene.facts() == ["message.accepted.v1", "message.sent.v1"]
    assert await scene.open_sends() == 0


async def test_a_nameless_status_is_kept_until_its_message_is_known(scene: Scene) -> None:
    (attempt_id,) = await scene.run_messages(1)
    await scene.fault("delay_answer", milliseconds=600, times=1)
    async with sending(scene, answer_within=3):
        (accepted,) = await eventually(scene.accepted)
        await scene.report("delivered", accepted["sid"], None)
        await scene.fold()
        assert await scene.states() == {"sending": 1}
    assert await scene.facts() == ["message.accepted.v1"]
    await scene.change("UPDATE message_statuses SET look_at = clock_timestamp()")
    await scene.fold()
    assert await scene.facts() == ["message.accepted.v1", "message.delivered.v1"]
    assert await scene.rows("SELECT attempt_id FROM messages") == [(attempt_id,)]


async def test_a_failure_carries_the_providers_code(scene: Scene) -> None:
    ((attempt_id, wamid),) = (await _sent(scene)).items()
    await scene.report(
        "failed", wamid, attempt_id, error_code=131026, error_title="Message undeliverable"
    )
    await scene.fold()
    ((payload,),) = await scene.rows(
        "SELECT CAST(payload AS json) ->> 'code' FROM outbox WHERE name = 'message.failed.v1'"
    )
    assert payload == "131026"
    assert await scene.rows("SELECT state, delivery FROM messages") == [("accepted", "failed")]


async def test_anothers_status_changes_nothing(scene: Scene) -> None:
    ((attempt_id, wamid),) = (await _sent(scene)).items()
    owner, scene.business_id = scene.business_id, new_id(BUSINESS)
    await scene.report("read", wamid, attempt_id)
    scene.business_id = owner
    await scene.report("read", "wamid.another", attempt_id)
    await scene.report("deleted", wamid, attempt_id)
    await scene.fold()
    assert await scene.rows("SELECT state, delivery FROM messages") == [("accepted", None)]
    problems = await scene.rows("SELECT problem FROM message_statuses ORDER BY problem")
    assert problems == [("another_id",), ("foreign_message",), ("unknown_status",)]


async def test_a_status_of_nobody_is_looked_at_less_and_less_and_put_aside(scene: Scene) -> None:
    await scene.report("read", "wamid.elsewhere", new_id(ATTEMPT))
    await scene.fold()
    ((looks, folded),) = await scene.rows("SELECT looks, folded_at FROM message_statuses")
    assert (looks, folded) == (1, None)
    await scene.change(
        "UPDATE message_statuses SET look_at = clock_timestamp(),"
        " arrived_at = clock_timestamp() - interval '2 days'"
    )
    await scene.fold()
    assert await scene.rows("SELECT problem FROM message_statuses") == [("unknown_message",)]


async def test_two_folders_fold_each_status_once(scene: Scene) -> None:
    sent = await _sent(scene, 20)
    for attempt, wamid in sent.items():
        for status in ("sent", "delivered"):
            await scene.report(status, wamid, attempt)

    async def until_done(database: Database) -> None:
        while await fold(database):
            pass

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(until_done(scene.database))
    await scene.fold()
    facts = await scene.facts()
    assert facts.count("message.delivered.v1") == facts.count("message.sent.v1") == 20
