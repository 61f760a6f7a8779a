"""A cancelled run: what was not admitted is never sent, whichever comes first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.integration.messaging.scene import Scene, sending

from trunkline_common.contracts.outbound import RunCancelling
from trunkline_common.db import transaction
from trunkline_common.ids import ATTEMPT, BUSINESS, new_id
from trunkline_common.testing import facts
from trunkline_messaging.domain.answers import Result
from trunkline_messaging.intents import Draft, Terms, commit_intents
from trunkline_messaging.records import Recorded, record
from trunkline_messaging.store.channels import due_channels


def cancelling(scene: Scene) -> RunCancelling:
    return RunCancelling(run_id=scene.run_id, step=1, stopped=0, in_flight=0, ended=0)


async def test_what_waits_is_stopped_and_said_so(scene: Scene) -> None:
    await scene.open_channel()
    await scene.run_messages(5)
    other = await scene.request()
    await scene.hear(cancelling(scene))
    await scene.hear(cancelling(scene))
    assert await scene.states() == {"cancelled": 5, "queued": 1}
    assert await scene.facts() == ["message.cancelled.v1"] * 5
    async with sending(scene):
        await facts.eventually(lambda: _state(scene, other, "accepted"))
    assert len(await scene.accepted()) == 1


async def _state(scene: Scene, message_id: str, wanted: str) -> bool:
    query = "SELECT state FROM messages WHERE message_id = :m"
    return (await scene.rows(query, m=message_id)) == [(wanted,)]


async def test_what_comes_after_the_cancel_is_stopped_too(scene: Scene) -> None:
    await scene.open_channel()
    await scene.hear(cancelling(scene))
    await scene.run_messages(3)
    await scene.hand_over(9, new_id(ATTEMPT))
    assert await scene.states() == {"cancelled": 4}
    assert await scene.facts() == ["message.cancelled.v1"] * 4


async def test_hand_overs_and_the_cancel_at_once_leave_nothing_behind(scene: Scene) -> None:
    await scene.open_channel()
    async with asyncio.TaskGroup() as group:
        for seq in range(1, 31):
            group.create_task(scene.hand_over(seq, new_id(ATTEMPT)))
            if seq == 15:
                group.create_task(scene.hear(cancelling(scene)))
    assert await scene.states() == {"cancelled": 30}
    assert (await scene.facts()).count("message.cancelled.v1") == 30


async def test_each_message_is_either_sent_or_said_to_be_stopped(scene: Scene) -> None:
    await scene.register()
    await scene.open_channel()
    await scene.run_messages(60)
    async with sending(scene, concurrency=10):
        await facts.eventually(lambda: _sent(scene, 10))
        await scene.hear(cancelling(scene))
    stopped = (await scene.facts()).count("message.cancelled.v1")
    assert stopped + len(await scene.accepted()) == 60
    assert stopped == (await scene.states()).get("cancelled", 0)


async def _sent(scene: Scene, least: int) -> bool:
    return len(await scene.accepted()) >= least


async def test_another_business_stops_nothing(scene: Scene) -> None:
    await scene.open_channel()
    await scene.run_messages(2)
    await scene.hear(cancelling(scene), business_id=new_id(BUSINESS))
    assert await scene.states() == {"queued": 2}


@pytest.mark.parametrize("kind", ["rate_limit", "reject"])
async def test_what_comes_back_after_the_cancel_is_stopped_and_not_sent_again(
    scene: Scene, kind: str
) -> None:
    """A later or a refusal of ours would otherwise wait, and be sent after the receipt."""
    order: dict[str, Any] = {"retry_after": 1} if kind == "rate_limit" else {"code": 190}
    await scene.register()
    await scene.open_channel()
    await scene.run_messages(1)
    async with transaction(scene.database) as session:
        channel = (await due_channels(session))[0]
    terms = Terms(owner="w", lease=30.0, deadline=10.0)
    intents = await commit_intents(scene.database, channel, wanted=1, terms=terms, draft=Draft())
    await scene.hear(cancelling(scene))
    assert await scene.states() == {"sending": 1}
    kinds = {"rate_limit": "later", "reject": "misconfigured"}
    result = Result(kinds[kind], code=str(order.get("code", 429)), reason="x", retry_after=0.0)  # type: ignore[arg-type]  # one of the literals
    await record(scene.database, [Recorded(intents.granted[0], channel, result)])
    assert await scene.states() == {"cancelled": 1}
    assert await scene.facts() == ["message.cancelled.v1"]
    assert await scene.accepted() == []
