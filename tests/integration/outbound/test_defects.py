"""What the previous system broke in its calls, each as the test that its report asked for.

`docs/defects.md` says where every id is held; what another file held already is marked there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import asyncpg
import pytest
from sqlalchemy import text
from tests.integration.outbound.scene import FakeVoice, Scene, addresses
from tests.integration.outbound.test_claims import claim, expire, intend
from tests.integration.outbound.test_dispatch import running, until_states
from tests.integration.outbound.world import World

from trunkline_common.contracts.api import ChannelChanged
from trunkline_common.db import Database, transaction
from trunkline_common.testing import eventually
from trunkline_outbound import runs
from trunkline_outbound.claims import NotNow, next_claim
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store import claims, jobs
from trunkline_outbound.store.claims import Lease

CAP = 3
LIVE = """
SELECT attempt_id, provider_id FROM calls WHERE ended_at IS NULL AND business_id = :b
 ORDER BY dialled_at"""


# Each beats the one before, so none of them can be taken for a mere repetition.
ENDS = ("failed", "completed", "completed")


async def end_one(scene: Scene, *, statuses: Sequence[str] = ("completed",)) -> None:
    """One call in the air ends, and its provider says so, perhaps more than once."""
    attempt_id, provider_id = (await scene.rows(LIVE, b=scene.business_id))[0]
    for status in statuses:
        await scene.report(str(attempt_id), str(provider_id), status, duration=7)
        await fold_calls(scene.database, batch=10)


@pytest.mark.defect("D-01")
async def test_what_dials_names_the_configured_host_in_every_url(scene: Scene) -> None:
    run_id, voice = await scene.start_run(1), FakeVoice()
    async with running(scene.dispatcher(voice)):
        await until_states(scene, run_id, {"accepted": 1})
    [order] = voice.accepted
    urls = (order.script_url, order.status_url, order.recording_url or "")
    assert all(url.startswith("http://api.test/callbacks/twilio/") for url in urls)


@pytest.mark.defect("D-02")
@pytest.mark.defect("D-03")
async def test_every_ended_call_hands_its_slot_to_exactly_one_next(scene: Scene) -> None:
    run_id, voice = await scene.start_run(10, concurrent=CAP), FakeVoice()
    async with running(scene.dispatcher(voice)):
        for ended in range(10):
            in_the_air = min(CAP, 10 - ended)
            await eventually(partial(_dialled, voice, ended + in_the_air))
            await until_states(
                scene,
                run_id,
                {
                    state: jobs
                    for state, jobs in (
                        ("accepted", in_the_air),
                        ("done", ended),
                        ("queued", 10 - ended - in_the_air),
                    )
                    if jobs
                },
            )
            await end_one(scene)
    assert sorted(voice.dialled) == addresses(10)
    assert await scene.states(run_id) == {"done": 10}


def _dialled(voice: FakeVoice, wanted: int) -> bool:
    return len(voice.accepted) == wanted


@pytest.mark.defect("D-04")
async def test_more_contacts_than_slots_are_queued_with_their_business(scene: Scene) -> None:
    await scene.start_run(CAP + 1, concurrent=CAP)
    rows = await scene.rows("SELECT business_id, state, count(*) FROM jobs GROUP BY 1, 2")
    assert rows == [(scene.business_id, "queued", CAP + 1)]


@pytest.mark.defect("D-06")
async def test_a_start_of_one_business_does_not_touch_what_another_is_sending(
    scene: Scene, outbound_database: Database
) -> None:
    await intend(scene, await claim(scene, await scene.start_run(1), "w1"), "w1")
    before = await scene.rows("SELECT * FROM jobs")
    other = Scene(outbound_database, account="AC" + "1" * 32)
    await other.open_channel()
    run_id = await other.start_run(2)
    await intend(other, await claim(other, run_id, "w2"), "w2")
    ours = "SELECT * FROM jobs WHERE business_id = :b"
    assert await scene.rows(ours, b=scene.business_id) == before


@pytest.mark.defect("D-19")
async def test_twenty_minutes_of_renewals_are_never_taken_over(scene: Scene) -> None:
    world, run_id = World(scene.database), await scene.start_run(5)
    worker = world.workers[0]
    await world.claim(worker, 0, wanted=5)
    for _ in range(120):
        await world.pass_time(10)
        await world.renew(worker)
        other = Lease("w2", 30)
        assert await next_claim(scene.database, run_id, lease=other, wanted=5) is None
    assert [hand.claim.token for hand in worker.hands] == [1]
    await expire(scene)
    taken = await claim(scene, run_id, "w2")
    lost = worker.hands[0].claim
    assert taken.claim_id == lost.claim_id
    assert (await intend(scene, lost, "w1")).lost
    async with transaction(scene.database) as session:
        assert not await claims.close(session, lost, owner="w1")


@pytest.mark.defect("D-24")
async def test_counts_are_jobs_per_state_at_every_step(scene: Scene) -> None:
    run_id = await scene.start_run(2, max_attempts=3)
    for result in (Result("later", code="20429", retry_after=1), Result("not_sent")):
        await scene.rows("UPDATE jobs SET due_at = now() WHERE state = 'waiting' RETURNING 1")
        taken = await claim(scene, run_id, "w1")
        for attempt in (await intend(scene, taken, "w1")).granted:
            for _ in range(3):
                await record(scene.database, [Recorded(attempt.attempt_id, run_id, result)])
        assert await scene.states(run_id) == await told(scene, run_id) == {"waiting": 2}
        assert await scene.rows("SELECT DISTINCT in_use FROM limits") == [(0,)]
    await scene.rows("UPDATE jobs SET due_at = now() WHERE state = 'waiting' RETURNING 1")
    granted = (await intend(scene, await claim(scene, run_id, "w1"), "w1")).granted
    for number, attempt in enumerate(granted):
        accepted = Result("accepted", provider_id=f"CA{number:032x}")
        await record(scene.database, [Recorded(attempt.attempt_id, run_id, accepted)])
    for done in range(2):
        assert await scene.value("SELECT max(in_use) FROM limits") == 2 - done
        assert await scene.states(run_id) == await told(scene, run_id)
        await end_one(scene, statuses=ENDS)
    assert await scene.rows("SELECT state, attempts FROM jobs") == [("done", 1)] * 2
    assert await told(scene, run_id) == {"done": 2}
    assert await scene.rows("SELECT DISTINCT in_use FROM limits") == [(0,)]


async def told(scene: Scene, run_id: str) -> dict[str, int]:
    """The counts that are told of a run."""
    async with transaction(scene.database) as session:
        states, _ = await jobs.count_states(session, run_id)
    return states


@pytest.mark.defect("D-26")
async def test_limits_that_fail_admit_nobody(scene: Scene, owner: asyncpg.Connection) -> None:
    taken = await claim(scene, await scene.start_run(5, concurrent=CAP), "w1")
    await owner.execute("ALTER TABLE limits RENAME TO limits_away")
    try:
        with pytest.raises(Exception, match='relation "limits" does not exist'):
            await intend(scene, taken, "w1")
    finally:
        await owner.execute("ALTER TABLE limits_away RENAME TO limits")
    assert await scene.value("SELECT count(*) FROM attempts") == 0
    assert await scene.value("SELECT count(*) FROM slots") == 0
    assert len((await intend(scene, taken, "w1")).granted) == CAP


@pytest.mark.defect("D-26")
async def test_while_the_limits_cannot_be_read_nobody_is_called(scene: Scene) -> None:
    taken = await claim(scene, await scene.start_run(5, concurrent=CAP), "w1")
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.TaskGroup() as group, transaction(scene.database) as session:
        await session.execute(text("SELECT FROM limits FOR UPDATE"))
        task = group.create_task(intend(scene, taken, "w1"))
        await eventually(lambda: _is(scene, waits, 1))
        assert await scene.value("SELECT count(*) FROM attempts") == 0
    assert len(task.result().granted) == CAP


async def _is(scene: Scene, sql: str, wanted: int) -> bool:
    return await scene.value(sql) == wanted


@pytest.mark.defect("D-59")
async def test_three_calls_of_twenty_minutes_leave_no_room_for_a_fourth(scene: Scene) -> None:
    world = World(scene.database)
    run_id = await scene.start_run(5, concurrent=CAP, time_limit=3600)
    await world.work(world.workers[0], "accepted")
    await world.write(world.workers[0])
    for _ in range(20):
        await world.pass_time(60)
        await world.sweep()
        answer = await next_claim(scene.database, run_id, lease=Lease("w2", 30), wanted=5)
        if not isinstance(answer, NotNow):  # an expired claim is taken over; nothing is sent of it
            assert answer is not None
            assert not (await intend(scene, answer, "w2")).granted
            async with transaction(scene.database) as session:  # the next to be had has a fourth
                assert await claims.close(session, answer, owner="w2")
    assert (len(world.witness.alive()), await scene.value("SELECT max(in_use) FROM limits")) == (
        CAP,
        CAP,
    )


@pytest.mark.defect("D-60")
async def test_an_end_that_is_told_twice_frees_one_slot(scene: Scene) -> None:
    run_id, voice = await scene.start_run(6, concurrent=CAP), FakeVoice()
    async with running(scene.dispatcher(voice)):
        await until_states(scene, run_id, {"accepted": CAP, "queued": 3})
        await end_one(scene, statuses=ENDS)
        await until_states(scene, run_id, {"accepted": CAP, "done": 1, "queued": 2})
    assert len(voice.accepted) == CAP + 1
    assert await scene.value("SELECT max(in_use) FROM limits") == CAP


@pytest.mark.defect("D-73")
async def test_each_business_has_its_cap_its_number_and_ends_with_its_last_call(
    outbound_database: Database,
) -> None:
    voice, numbers = FakeVoice(), ("+15005550006", "+15005550009")
    scenes = [Scene(outbound_database, account=f"AC{n:032x}", concurrent=CAP) for n in (1, 2)]
    started = []
    for scene, number in zip(scenes, numbers, strict=True):
        await scene.open_channel()
        await scene.hear(await _with_number(scene, number))
        started.append(await scene.start_run(5))
    await scenes[0].rows(
        "UPDATE jobs SET address = 'none' WHERE run_id = :r AND seq = 5 RETURNING 1", r=started[0]
    )
    async with running(scenes[0].dispatcher(voice)):
        for ended in range(5):
            for scene, run_id, number in zip(scenes, started, numbers, strict=True):
                if scene is scenes[1] or ended < 4:
                    await eventually(partial(_has_call, scene))
                    ours = [o for o in voice.accepted if o.account == scene.account]
                    assert {order.from_number for order in ours} == {number}
                    assert len(ours) <= ended + CAP
                    await runs.complete_finished(outbound_database)
                    assert await _state(scene, run_id) == "running"
                    await end_one(scene)
        await until_states(scenes[0], started[0], {"done": 4, "skipped": 1})
        await until_states(scenes[1], started[1], {"done": 5})

    async def all_over() -> bool:
        await runs.complete_finished(outbound_database)
        return await scenes[0].rows("SELECT DISTINCT state FROM runs") == [("completed",)]

    await eventually(all_over)


async def _state(scene: Scene, run_id: str) -> object:
    return await scene.value("SELECT state FROM runs WHERE run_id = :r", r=run_id)


async def _has_call(scene: Scene) -> bool:
    return bool(await scene.rows(LIVE, b=scene.business_id))


async def _with_number(scene: Scene, number: str) -> ChannelChanged:
    [row] = await scene.rows(
        "SELECT key_id, sealed FROM channels WHERE channel_id = :c", c=scene.channel_id
    )
    known = {"channel_id": scene.channel_id, "kind": "voice", "version": 2}
    known |= {"account": scene.account, "senders": (number,), "key_id": row[0], "sealed": row[1]}
    known |= {"per_second": scene.per_second, "concurrent": scene.concurrent}
    return ChannelChanged.model_validate(known)
