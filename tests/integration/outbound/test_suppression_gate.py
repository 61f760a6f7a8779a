"""The gate of suppressions: commit order decides between an opt-out and an intent, cheaply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import text
from tests.integration.outbound.scene import Scene, addresses
from tests.integration.outbound.test_claims import claim, intend
from tests.integration.outbound.test_suppressions import FIRST, SECOND, THIRD, admitted, suppressed

from trunkline_common.contracts.api import RunEdited, RunPolicy
from trunkline_common.db import transaction
from trunkline_common.ids import BUSINESS, RUN, new_id
from trunkline_common.testing import facts
from trunkline_outbound.store import suppressions
from trunkline_outbound.store.jobs import QueuedJob


@asynccontextmanager
async def holding(scene: Scene, sql: str) -> AsyncIterator[None]:
    """Somebody else's transaction that has what `sql` locks."""
    async with transaction(scene.database) as session:
        await session.execute(text(sql))
        yield


async def waits_for(scene: Scene, kind: str) -> bool:
    """Whether anybody here waits for a lock of this kind."""
    waiting = await scene.value(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = :k AND pid IN ("
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database())",
        k=kind,
    )
    return waiting == 1


async def test_an_opt_out_that_commits_first_wins(scene: Scene) -> None:
    """The intent has begun before the commit, and still sees it."""
    run_id = await scene.start_run(3)
    held = await claim(scene, run_id, "w1")
    async with asyncio.TaskGroup() as group, transaction(scene.database) as session:
        event = suppressed("address", SECOND)
        await suppressions.keep(session, event, business_id=scene.business_id, in_force=True)
        intent = group.create_task(intend(scene, held, "w1"))
        await facts.eventually(lambda: waits_for(scene, "advisory"))
        assert not intent.done()
    assert [a.to_number for a in intent.result().granted] == [FIRST, THIRD]


async def test_an_intent_that_reads_first_commits_first(scene: Scene) -> None:
    """The opt-out waits for it: its commit means that nothing is admitted any more."""
    run_id = await scene.start_run(3)
    held = await claim(scene, run_id, "w1")
    async with asyncio.TaskGroup() as group, holding(scene, "SELECT 1 FROM limits FOR UPDATE"):
        intent = group.create_task(intend(scene, held, "w1", wanted=2))
        await facts.eventually(lambda: waits_for(scene, "transactionid"))
        opt_out = group.create_task(scene.hear(suppressed("prefix", "+1")))
        await facts.eventually(lambda: waits_for(scene, "advisory"))
        assert not opt_out.done()
        assert await scene.value("SELECT count(*) FROM suppressions") == 0
    assert [a.to_number for a in intent.result().granted] == [FIRST, SECOND]
    assert (await intend(scene, held, "w1")).granted == ()
    assert await scene.states(run_id) == {"sending": 2, "skipped": 1}


async def test_opt_outs_edits_and_intents_do_not_wait_in_a_circle(scene: Scene) -> None:
    run_id = await scene.start_run(120)
    held = await claim(scene, run_id, "w1", wanted=120)

    async def opt_out(number: int) -> None:
        await scene.hear(suppressed("address", addresses(120)[number]))
        policy = RunPolicy(concurrent=1000 + number)
        await scene.hear(RunEdited(run_id=run_id, control_id=f"c{number}", policy=policy))

    async with asyncio.TaskGroup() as group:
        intents = [group.create_task(intend(scene, held, "w1", wanted=4)) for _ in range(30)]
        for number in range(0, 120, 6):
            group.create_task(opt_out(number))
    granted = [a.to_number for task in intents for a in task.result().granted]
    states = await scene.states(run_id)
    assert (states["sending"], len(set(granted))) == (len(granted), len(granted))


async def test_other_businesses_do_not_wait(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    async with transaction(scene.database) as session:
        await suppressions.keep(
            session, suppressed("address", FIRST), business_id=new_id(BUSINESS), in_force=True
        )
        assert await admitted(scene, run_id) == [FIRST]


async def test_a_hundred_thousand_suppressions_are_looked_up_not_read(scene: Scene) -> None:
    filled = text(
        "INSERT INTO suppressions (business_id, kind, value, suppression_id, version, in_force)"
        " SELECT :b, CASE WHEN n % 10 = 0 THEN 'prefix' ELSE 'address' END,"
        " '+49' || 1500000000 + n, 'sup_' || n, 1, true FROM generate_series(1, 100000) AS n"
    )
    async with transaction(scene.database) as session:
        await session.execute(filled, {"b": scene.business_id})
        await session.execute(text("ANALYZE suppressions"))
    now = datetime.now(UTC)
    picked = [QueuedJob(n, f"con_{n}", f"+49{1600000000 + n}", 0, now) for n in range(50)]
    asked = suppressions.keys_of(picked) | {
        "business_id": scene.business_id,
        "run_id": new_id(RUN),
        "channel": "voice",
    }
    explained = await scene.value(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + suppressions.FIND, **asked
    )
    [plan] = json.loads(explained) if isinstance(explained, str) else cast("Any", explained)
    scans = [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == "suppressions"]
    assert [node["Index Name"] for node in scans] == ["suppressions_pkey"]
    assert scans[0]["Actual Loops"] == len(asked["kinds"])
    read = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    assert read <= 4 * len(asked["kinds"])  # the depth of the index, for each key


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, from the top."""
    return [plan] + [node for inner in plan.get("Plans", []) for node in nodes(inner)]
