"""What bounds a business as a whole: its calls in the air, over all of its accounts and runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.integration.outbound.scene import FakeVoice, Scene
from tests.integration.outbound.test_claims import claim, intend
from tests.integration.outbound.test_dispatch import running, until_states

from trunkline_common.contracts.api import BusinessCreated, BusinessSettingsChanged
from trunkline_common.ids import CHANNEL, new_id
from trunkline_common.testing import eventually
from trunkline_outbound.admitted import NO_ROOM_DELAY
from trunkline_outbound.claims import NotNow, next_claim
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store.claims import Lease

SID = "CA" + "7" * 32


async def settings(scene: Scene, version: int, **changed: object) -> None:
    await scene.hear(
        BusinessSettingsChanged.model_validate(
            {
                "business_id": scene.business_id,
                "version": version,
                "display_name": "test",
                "country": "US",
                "time_zone": "America/New_York",
            }
            | changed
        )
    )


async def second_account(scene: Scene) -> Scene:
    """The same business with another provider account."""
    other = replace(scene, channel_id=new_id(CHANNEL), account="AC" + "f" * 32)
    await other.open_channel()
    return other


async def in_use(scene: Scene) -> object:
    return await scene.value(
        "SELECT in_use FROM limits WHERE kind = 'business' AND id = :b", b=scene.business_id
    )


async def test_a_businesss_cap_holds_over_its_accounts(scene: Scene) -> None:
    other = await second_account(scene)
    await settings(scene, 1, concurrent=5)
    one, two = await scene.start_run(4), await other.start_run(4)
    first = await intend(scene, await claim(scene, one, "w1"), "w1")
    second = await intend(other, await claim(other, two, "w1"), "w1")
    assert (len(first.granted), len(second.granted)) == (4, 1)
    assert await in_use(scene) == 5
    answer = await next_claim(scene.database, two, lease=Lease("w2", 30), wanted=10)
    assert answer == NotNow(NO_ROOM_DELAY, until_rung=True)
    refused = Recorded(first.granted[0].attempt_id, one, Result("rejected", code="21211"))
    await record(scene.database, [refused])
    assert await in_use(scene) == 4
    assert len((await intend(other, await claim(other, two, "w1"), "w1")).granted) == 1


async def test_many_at_once_never_take_more_than_a_business_may_have(scene: Scene) -> None:
    other = await second_account(scene)
    await settings(scene, 1, concurrent=7)
    runs = [(each, await each.start_run(40)) for each in (scene, other)]
    held = [(each, await claim(each, run_id, "w1")) for each, run_id in runs for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(intend(each, taken, "w1")) for each, taken in held]
    granted = sum(len(task.result().granted) for task in tasks)
    assert granted == 7 == await scene.value("SELECT count(*) FROM slots") == await in_use(scene)


async def test_a_freed_slot_of_one_account_is_used_by_the_other(scene: Scene) -> None:
    other = await second_account(scene)
    await settings(scene, 1, concurrent=1)
    one = await scene.start_run(1)
    voice = FakeVoice()
    async with running(scene.dispatcher(voice)):
        await until_states(scene, one, {"accepted": 1})
        two = await other.start_run(1)
        attempt_id, provider_id = (await scene.rows("SELECT attempt_id, provider_id FROM calls"))[0]
        await scene.report(str(attempt_id), str(provider_id), "completed", duration=1)
        assert await fold_calls(scene.database, batch=10) == 1
        await until_states(other, two, {"accepted": 1})


async def test_a_raised_cap_counts_at_once_and_a_lifted_one_is_none(scene: Scene) -> None:
    run_id = await scene.start_run(10)
    held = await claim(scene, run_id, "w1")
    await settings(scene, 1, concurrent=2)
    assert len((await intend(scene, held, "w1")).granted) == 2
    await settings(scene, 2, concurrent=3)
    assert len((await intend(scene, held, "w1")).granted) == 1
    await settings(scene, 1, concurrent=1)  # came late: older than what is kept
    await settings(scene, 3)
    assert len((await intend(scene, held, "w1")).granted) == 7


async def test_a_new_business_has_the_cap_that_it_is_created_with(scene: Scene) -> None:
    await scene.hear(
        BusinessCreated(
            business_id=scene.business_id,
            display_name="test",
            country="US",
            time_zone="America/New_York",
            concurrent=2,
        )
    )
    run_id = await scene.start_run(5)
    assert len((await intend(scene, await claim(scene, run_id, "w1"), "w1")).granted) == 2


async def test_a_cap_counts_what_was_in_the_air_before_anybody_counted(scene: Scene) -> None:
    """A version from before there were such limits takes and frees without them."""
    run_id = await scene.start_run(10)
    held = await claim(scene, run_id, "w1")
    sent = await intend(scene, held, "w1", wanted=3)
    await scene.rows("UPDATE limits SET in_use = 0 WHERE kind = 'business' RETURNING 1")
    refused = [
        Recorded(a.attempt_id, run_id, Result("rejected", code="1")) for a in sent.granted[:1]
    ]
    await record(scene.database, refused)  # below nothing it does not go, and nothing fails
    assert await in_use(scene) == 0
    await settings(scene, 1, concurrent=4)
    assert await in_use(scene) == 2
    assert len((await intend(scene, held, "w1")).granted) == 2


@pytest.mark.parametrize("raised_meanwhile", [False, True], ids=["from-the-start", "meanwhile"])
async def test_a_business_of_weight_three_gets_three_times_the_share(
    scene: Scene, raised_meanwhile: bool
) -> None:
    other = Scene(scene.database, account="AC" + "b" * 32)
    await other.open_channel()
    voice = FakeVoice()
    if not raised_meanwhile:
        await settings(scene, 1, weight=3)
    await scene.start_run(1_500)
    await other.start_run(1_500)

    def ours(start: int, end: int) -> int:
        return sum(order.account == scene.account for order in voice.accepted[start:end])

    start = 200  # whoever was seen first had the first claims
    async with running(scene.dispatcher(voice, claim_size=50, micro_batch=10, concurrency=20)):
        if raised_meanwhile:
            await eventually(lambda: len(voice.accepted) >= 400, within=30)
            assert 140 <= ours(100, 400) <= 160 + 30
            await settings(scene, 1, weight=3)
            start = len(voice.accepted) + 200  # some claims were taken before it was seen
        await eventually(lambda: len(voice.accepted) >= start + 600, within=30)
    assert ours(start, start + 600) == pytest.approx(450, abs=45)
