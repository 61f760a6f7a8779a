"""Two businesses that claim to have one account: neither slows, caps nor blocks the other."""

from __future__ import annotations

import pytest
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record

SID = "CA" + "7" * 32


@pytest.fixture
async def other(scene: Scene) -> Scene:
    """Another business whose channel names the same account, with hardly any pace and room."""
    stage = Scene(scene.database, per_second=0.001, concurrent=1)
    assert stage.account == scene.account
    await stage.open_channel()
    return stage


async def test_anothers_pace_and_room_are_not_ours(scene: Scene, other: Scene) -> None:
    theirs = await other.start_run(5)
    taken = await claim(other, theirs, "w1")
    assert len((await intend(other, taken, "w1")).granted) == 1
    ours = await intend(scene, await claim(scene, await scene.start_run(20), "w1", wanted=20), "w1")
    assert len(ours.granted) == 20
    assert ours.interval == pytest.approx(1 / scene.per_second)
    again = await intend(other, taken, "w1")
    assert (again.drained, len(again.granted)) == (False, 0)


async def test_a_call_of_another_between_the_same_numbers_does_not_make_us_wait(
    scene: Scene, other: Scene
) -> None:
    theirs, ours = await other.start_run(1), await scene.start_run(1)
    for stage, run_id in ((other, theirs), (scene, ours)):
        assert len((await intend(stage, await claim(stage, run_id, "w1"), "w1")).granted) == 1
    assert await scene.value("SELECT count(*) FROM open_sends") == 2


async def test_a_provider_id_that_another_claimed_is_still_ours(scene: Scene, other: Scene) -> None:
    theirs, ours = await other.start_run(1), await scene.start_run(1)
    attempts = {}
    for stage, run_id in ((other, theirs), (scene, ours)):
        granted = (await intend(stage, await claim(stage, run_id, "w1"), "w1")).granted
        attempts[run_id] = granted[0].attempt_id
    for run_id, attempt_id in attempts.items():
        taken = Recorded(attempt_id, run_id, Result("accepted", provider_id=SID))
        await record(scene.database, [taken])
    await scene.report(attempts[ours], SID, "completed", duration=3)
    await fold_calls(scene.database, batch=10)
    assert await scene.states(ours) == {"done": 1}
    assert await scene.states(theirs) == {"accepted": 1}
    assert await scene.value("SELECT count(*) FROM provider_calls") == 2


async def test_a_freed_slot_goes_back_to_its_own_business(scene: Scene, other: Scene) -> None:
    theirs, ours = await other.start_run(1), await scene.start_run(1)
    await intend(other, await claim(other, theirs, "w1"), "w1")
    granted = (await intend(scene, await claim(scene, ours, "w1"), "w1")).granted
    refused = Recorded(granted[0].attempt_id, ours, Result("rejected", code="21211"))
    await record(scene.database, [refused])
    rows = await scene.rows("SELECT id, in_use FROM limits WHERE kind = 'account' ORDER BY in_use")
    assert [in_use for _, in_use in rows] == [0, 1]
    assert [scene.business_id in str(rows[0][0]), other.business_id in str(rows[1][0])] == [
        True
    ] * 2
