"""Claims: disjoint, taken over with a new token, and worthless to whoever lost them."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.outbound.scene import Scene

from trunkline_common.db import Database, transaction
from trunkline_outbound.admitted import NO_ROOM_DELAY, Draft, Intents
from trunkline_outbound.claims import NotNow, next_claim
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.intents import commit_intents
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store import claims, runs
from trunkline_outbound.store.claims import Claim, Lease

LATER = Result("later", code="20429", retry_after=60)


async def claim(scene: Scene, run_id: str, owner: str, *, wanted: int = 10) -> Claim:
    taken = await next_claim(scene.database, run_id, lease=Lease(owner, 30), wanted=wanted)
    assert isinstance(taken, Claim)
    return taken


async def intend(scene: Scene, taken: Claim, owner: str, *, wanted: int = 50) -> Intents:
    async with transaction(scene.database) as session:
        run = await runs.get_run(session, taken.run_id)
    assert run is not None
    return await commit_intents(
        scene.database, taken, run, owner=owner, wanted=wanted, deadline=10, draft=Draft()
    )


async def expire(scene: Scene) -> None:
    await scene.rows("UPDATE claims SET expires_at = clock_timestamp() RETURNING 1")


async def test_many_workers_carve_disjoint_ranges_without_a_gap(scene: Scene) -> None:
    run_id = await scene.start_run(95)

    async def carve(owner: str) -> list[tuple[int, int]]:
        spans = []
        lease = Lease(owner, 30)
        while isinstance(
            taken := await next_claim(scene.database, run_id, lease=lease, wanted=10), Claim
        ):
            spans.append((taken.first_seq or 0, taken.last_seq or 0))
        return spans

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(carve(f"w{n}")) for n in range(5)]
    spans = sorted(span for worker in workers for span in worker.result())
    assert [first for first, _ in spans] == list(range(1, 96, 10))
    assert [seq for first, last in spans for seq in range(first, last + 1)] == list(range(1, 96))


@pytest.mark.defect("D-18")
async def test_an_intent_admits_a_job_once(scene: Scene) -> None:
    taken = await claim(scene, await scene.start_run(10), "w1")
    first, second = await intend(scene, taken, "w1"), await intend(scene, taken, "w1")
    assert (len(first.granted), second.drained) == (10, True)
    assert await scene.value("SELECT count(*) FROM attempts WHERE state = 'intent'") == 10
    assert await scene.value("SELECT in_use FROM limits") == 10


@pytest.mark.defect("D-23")
@pytest.mark.trap("cursor at fetch")
async def test_a_taken_over_claim_is_worthless_to_its_first_owner(scene: Scene) -> None:
    run_id = await scene.start_run(10)
    first = await claim(scene, run_id, "w1")
    sent = await intend(scene, first, "w1", wanted=4)
    await expire(scene)
    second = await claim(scene, run_id, "w2")
    assert (second.claim_id, second.token) == (first.claim_id, first.token + 1)
    assert (await intend(scene, first, "w1")).lost
    assert await scene.states(run_id) == {"in_doubt": 4, "queued": 6}
    rest = await intend(scene, second, "w2")
    assert {a.seq for a in rest.granted}.isdisjoint({a.seq for a in sent.granted})
    assert await scene.states(run_id) == {"in_doubt": 4, "sending": 6}


@pytest.mark.defect("D-19")
async def test_the_first_owner_cannot_renew_or_close_what_it_lost(scene: Scene) -> None:
    run_id = await scene.start_run(3)
    first = await claim(scene, run_id, "w1")
    await expire(scene)
    await claim(scene, run_id, "w2")
    async with transaction(scene.database) as session:
        held = {first.claim_id: first.token}
        assert await claims.renew(session, held, Lease("w1", 30)) == set()
        assert not await claims.close(session, first, owner="w1")


async def test_a_claim_with_unsent_jobs_does_not_close(scene: Scene) -> None:
    taken = await claim(scene, await scene.start_run(3), "w1")
    async with transaction(scene.database) as session:
        assert not await claims.close(session, taken, owner="w1")


@pytest.mark.trap("pause overwritten")
@pytest.mark.parametrize("state", ["paused", "cancelling"])
async def test_nothing_is_handed_out_and_nothing_admitted_once_a_run_stands(
    scene: Scene, state: str
) -> None:
    run_id = await scene.start_run(20)
    taken = await claim(scene, run_id, "w1")
    async with transaction(scene.database) as session:
        await runs.lock_cursor(session, run_id)
        await runs.set_state(session, run_id, state)
        await claims.revoke_open(session, run_id)
    assert (await intend(scene, taken, "w1")).lost
    lease = Lease("w2", 30)
    assert await next_claim(scene.database, run_id, lease=lease, wanted=10) is None
    assert await scene.value("SELECT count(*) FROM attempts") == 0


@pytest.mark.defect("D-18")
@pytest.mark.trap("duplicate guard by time")
async def test_two_jobs_to_one_number_from_one_sender_do_not_fly_together(scene: Scene) -> None:
    one, two = await scene.start_run(2), await scene.start_run(2)
    first = await intend(scene, await claim(scene, one, "w1"), "w1")
    second = await intend(scene, await claim(scene, two, "w1"), "w1")
    assert (len(first.granted), len(second.granted)) == (2, 0)
    assert await scene.states(two) == {"waiting": 2}
    assert await scene.rows("SELECT DISTINCT rule FROM decisions") == [("open_send",)]


@pytest.mark.defect("D-64")
@pytest.mark.trap("rate limit as failure")
async def test_room_makes_a_grant_partial_and_fails_nobody(scene: Scene) -> None:
    run_id = await scene.start_run(10, concurrent=3)
    taken = await claim(scene, run_id, "w1")
    assert len((await intend(scene, taken, "w1")).granted) == 3
    none = await intend(scene, taken, "w1")
    assert (none.granted, none.drained, none.retry_in > 0) == ((), False, True)
    assert await scene.states(run_id) == {"sending": 3, "queued": 7}


@pytest.mark.defect("D-58")
@pytest.mark.trap("counters read and written")
async def test_many_at_once_never_take_more_than_the_room(scene: Scene) -> None:
    run_id = await scene.start_run(80, concurrent=5)
    taken = [await claim(scene, run_id, f"w{n}") for n in range(8)]
    async with asyncio.TaskGroup() as group:
        intents = [group.create_task(intend(scene, each, f"w{n}")) for n, each in enumerate(taken)]
    assert sum(len(each.result().granted) for each in intents) <= 5
    assert await scene.value("SELECT max(in_use) FROM limits") == await scene.value(
        "SELECT count(*) FROM slots"
    )


async def test_pace_reserves_no_more_than_may_leave_within_a_second(scene: Scene) -> None:
    run_id = await scene.start_run(30, per_second=5)
    taken = await claim(scene, run_id, "w1", wanted=30)
    first = await intend(scene, taken, "w1")
    assert 5 <= len(first.granted) <= 6
    assert first.interval == pytest.approx(0.2)
    second = await intend(scene, taken, "w1")
    assert len(second.granted) <= 1  # the clock has gone on a little
    third = await intend(scene, taken, "w1")
    assert (third.granted, 0 < third.retry_in <= 1.5, third.until_rung) == ((), True, False)


@pytest.mark.parametrize(
    ("policy", "size"),
    [({}, 200), ({"per_second": 2}, 30), ({"per_second": 2, "concurrent": 7}, 7)],
)
async def test_a_claim_is_what_half_a_lease_can_send(
    scene: Scene, policy: dict[str, int], size: int
) -> None:
    run_id = await scene.start_run(300, **policy)
    assert (await claim(scene, run_id, "w1", wanted=200)).span == size


@pytest.mark.defect("D-63")
async def test_a_run_without_room_hands_out_nothing_until_it_is_rung_for(scene: Scene) -> None:
    run_id = await scene.start_run(10, concurrent=3)
    await intend(scene, await claim(scene, run_id, "w1"), "w1")
    answer = await next_claim(scene.database, run_id, lease=Lease("w2", 30), wanted=10)
    assert answer == NotNow(NO_ROOM_DELAY, until_rung=True)
    assert await scene.value("SELECT count(*) FROM claims") == 1


async def test_a_run_whose_pace_is_reserved_hands_out_nothing_until_then(scene: Scene) -> None:
    run_id = await scene.start_run(10, per_second=0.01)
    await intend(scene, await claim(scene, run_id, "w1", wanted=1), "w1")
    answer = await next_claim(scene.database, run_id, lease=Lease("w2", 30), wanted=10)
    assert isinstance(answer, NotNow)
    assert (90 < answer.retry_in < 100, answer.until_rung) == (True, False)


async def test_retries_come_before_first_passes(scene: Scene) -> None:
    run_id = await scene.start_run(10)
    first = await claim(scene, run_id, "w1", wanted=5)
    sent = await intend(scene, first, "w1", wanted=1)
    await record(scene.database, [Recorded(sent.granted[0].attempt_id, run_id, LATER)])
    async with transaction(scene.database) as session:
        await claims.release(session, first, owner="w1")
    await scene.rows("UPDATE jobs SET due_at = now() WHERE state = 'waiting' RETURNING 1")
    handed = [await claim(scene, run_id, "w1", wanted=5) for _ in range(3)]
    assert [(taken.kind, taken.first_seq) for taken in handed] == [
        ("due", None),
        ("range", 1),
        ("range", 6),
    ]


@pytest.mark.trap("reclaim at start only")
async def test_a_lost_workers_claim_comes_before_everything(scene: Scene) -> None:
    run_id = await scene.start_run(10, concurrent=3)
    first = await claim(scene, run_id, "w1")
    await intend(scene, first, "w1")
    await expire(scene)
    assert (await claim(scene, run_id, "w2")).claim_id == first.claim_id  # though there is no room
    assert await scene.states(run_id) == {"in_doubt": 3, "queued": 7}


async def test_a_slow_run_leaves_the_accounts_pace_to_the_others(
    outbound_database: Database,
) -> None:
    scene = Scene(outbound_database, per_second=30.0)
    await scene.open_channel()
    slow, quick = await scene.start_run(50, per_second=1), await scene.start_run(50)
    await scene.rows(
        "UPDATE jobs SET address = address || '1' WHERE run_id = :r RETURNING 1", r=quick
    )
    assert len((await intend(scene, await claim(scene, slow, "w1"), "w1")).granted) <= 2
    rest = await intend(scene, await claim(scene, quick, "w1", wanted=50), "w1")
    assert len(rest.granted) >= 25
