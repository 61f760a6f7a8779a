"""A channel's numbers: whom each calls, and that none exceeds what it may do."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from tests.integration.outbound.scene import Scene, addresses
from tests.integration.outbound.test_claims import claim, intend
from tests.integration.outbound.test_limits import LIMITED
from tests.integration.outbound.test_suppression_gate import holding

from trunkline_common.contracts.limits import NumberCaps
from trunkline_common.db import Database, pace, transaction
from trunkline_common.ids import new_id, number_scope
from trunkline_common.testing import facts
from trunkline_outbound.admitted import Intents
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.records import Recorded, record

A, B, C = "+15005550001", "+15005550002", "+15005550003"


async def open_pool(
    database: Database, *numbers: str, per_second: float = 10_000.0, **caps: float
) -> Scene:
    scene = Scene(database, senders=numbers, per_second=per_second)
    scene.per_number = NumberCaps.model_validate(caps) if caps else None
    await scene.open_channel()
    return scene


async def once(scene: Scene, jobs: int) -> Intents:
    run_id = await scene.start_run(jobs)
    return await intend(scene, await claim(scene, run_id, "w1", wanted=jobs), "w1")


async def ended(scene: Scene, intents: Intents, result: Result | None = None) -> None:
    assert intents.run is not None
    for attempt in intents.granted:
        answer = result or Result("accepted", provider_id=new_id("CA"))
        await record(scene.database, [Recorded(attempt.attempt_id, intents.run.run_id, answer)])


def numbers(intents: Intents) -> Counter[str]:
    return Counter(attempt.from_number for attempt in intents.granted)


async def test_numbers_take_turns(outbound_database: Database) -> None:
    scene = await open_pool(outbound_database, A, B, C)
    assert numbers(await once(scene, 9)) == {A: 3, B: 3, C: 3}


async def test_a_contact_is_called_from_the_number_that_called_it_before(
    outbound_database: Database,
) -> None:
    scene = await open_pool(outbound_database, A, B, C)
    first = await once(scene, 7)
    await ended(scene, first)
    again = await once(scene, 7)
    pairs = [{a.to_number: a.from_number for a in each.granted} for each in (first, again)]
    assert pairs[0] == pairs[1]
    assert len(pairs[0]) == 7


async def test_a_changed_pool_counts_for_the_next_intent(outbound_database: Database) -> None:
    scene = await open_pool(outbound_database, A, B)
    held = await claim(scene, await scene.start_run(8), "w1")
    assert set(numbers(await intend(scene, held, "w1", wanted=4))) == {A, B}
    scene.senders = (C,)
    await scene.open_channel(version=2)
    assert numbers(await intend(scene, held, "w1", wanted=4)) == {C: 4}


async def all_wait(scene: Scene, many: int) -> bool:
    waiting = await scene.value(
        "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN ("
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
    )
    return waiting == many


async def test_a_number_never_has_more_in_the_air_than_it_may(
    outbound_database: Database,
) -> None:
    scene = await open_pool(outbound_database, A, B, concurrent=3)
    runs = [await scene.start_run(20) for _ in range(4)]
    for n, run_id in enumerate(runs):  # or they would wait for each other's addresses
        others = "UPDATE jobs SET address = address || :n WHERE run_id = :r RETURNING 1"
        await scene.rows(others, n=str(n), r=run_id)
    held = [await claim(scene, run_id, f"w{n}") for n, run_id in enumerate(runs)]
    async with asyncio.TaskGroup() as group, holding(scene, "SELECT 1 FROM limits FOR UPDATE"):
        tasks = [group.create_task(intend(scene, c, f"w{n}")) for n, c in enumerate(held)]
        await facts.eventually(lambda: all_wait(scene, len(tasks)))  # each has chosen by now
    total = sum((numbers(task.result()) for task in tasks), Counter[str]())
    assert all(count <= 3 for count in total.values())
    assert await scene.value("SELECT count(*) FROM slots") == total.total()


async def test_freed_room_of_a_number_is_used_again(outbound_database: Database) -> None:
    scene = await open_pool(outbound_database, A, concurrent=2)
    held = await claim(scene, await scene.start_run(6), "w1")
    first = await intend(scene, held, "w1")
    assert numbers(first) == {A: 2}
    full = await intend(scene, held, "w1")
    assert (full.granted, full.until_rung, full.retry_in > 1) == ((), True, True)
    await ended(scene, first, Result("rejected", code="21211"))
    assert numbers(await intend(scene, held, "w1")) == {A: 2}


async def test_a_number_makes_so_many_calls_a_day(outbound_database: Database) -> None:
    scene = await open_pool(outbound_database, A, B, per_day=4)
    held = await claim(scene, await scene.start_run(20), "w1", wanted=20)
    assert numbers(await intend(scene, held, "w1")) == {A: 4, B: 4}
    assert not (await intend(scene, held, "w1")).granted
    assert await scene.value("SELECT count(*) FROM jobs WHERE state = 'queued'") == 12
    await scene.rows("UPDATE sender_use SET day = day - 1 RETURNING 1")
    assert numbers(await intend(scene, held, "w1")) == {A: 4, B: 4}


async def test_each_number_keeps_its_pace_and_the_account_its_own(
    outbound_database: Database,
) -> None:
    scene = await open_pool(outbound_database, A, B, per_second=10.0)
    scene.per_number = NumberCaps(per_second=1.0)
    await scene.open_channel(version=2)
    held = await claim(scene, await scene.start_run(20), "w1", wanted=20)
    first = await intend(scene, held, "w1")
    assert numbers(first) == {A: 2, B: 2}
    times = [(a.from_number, first.leaves_at(i)) for i, a in enumerate(first.granted)]
    for number in (A, B):
        early, late = sorted(at for n, at in times if n == number)
        assert late - early >= 0.85
    assert sorted(at for _, at in times)[1] >= 0.1 - 0.01
    none = await intend(scene, held, "w1")
    assert (none.granted, none.until_rung, 0 < none.retry_in <= 1.5) == ((), False, True)


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "content"])
async def test_a_limit_lowers_the_numbers_pace_and_the_accounts(
    outbound_database: Database, limited: bool
) -> None:
    scene = await open_pool(outbound_database, A, per_second=100.0)
    scene.per_number = NumberCaps(per_second=20.0)
    await scene.open_channel(version=2)
    sent = await once(scene, 1)
    await ended(scene, sent, LIMITED if limited else None)
    scope = f"{scene.business_id}/{scene.account}"
    async with transaction(outbound_database) as session:
        rates = [
            (await pace.look(session, [key])).per_second
            for key in (scope, number_scope(scope, A), number_scope(scope, B))
        ]
    assert rates == ([50.0, 10.0, None] if limited else [100.0, 20.0, None])


async def test_one_number_without_caps_is_not_counted(scene: Scene) -> None:
    await once(scene, 3)
    for table in ("sender_use", "sender_bonds"):
        assert await scene.value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - named here


async def test_bonds_are_of_a_business_and_its_account(outbound_database: Database) -> None:
    scene = await open_pool(outbound_database, A, B)
    await once(scene, 2)
    other = await open_pool(outbound_database, B, A)
    assert len((await once(other, 2)).granted) == 2
    rows = await scene.rows("SELECT business_id, count(*) FROM sender_bonds GROUP BY 1")
    assert {str(b): n for b, n in rows} == {scene.business_id: 2, other.business_id: 2}
    assert set(addresses(2)) == {
        str(a) for (a,) in await scene.rows("SELECT DISTINCT address FROM sender_bonds")
    }
