"""What is done for a run looks into the partitions of its month, and into no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event
from tests.integration.outbound.months import LATER, OLD, call_all, make, run_in
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, expire, intend

from trunkline_common.db import transaction
from trunkline_outbound.claims import next_claim
from trunkline_outbound.store import claims, cohorts, runs
from trunkline_outbound.store.claims import Lease

pytestmark = pytest.mark.usefixtures("owner")

# The question for what is in doubt anywhere, by an index that holds nothing else.
SWEEPS = ("state = 'in_doubt' AND",)
OTHERS = re.compile(r"(jobs|attempts|decisions)_(?!2020_0[23]$)")


@contextmanager
def overheard(scene: Scene) -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """Every statement that is executed meanwhile, with its parameters."""
    heard: list[tuple[str, tuple[Any, ...]]] = []
    engine = scene.database.engine.sync_engine

    def hear(_c: object, _cur: object, sql: str, given: Any, _ctx: object, _many: object) -> None:
        heard.append((sql, tuple(given)))

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def touched(plan: dict[str, Any]) -> Iterator[str]:
    """The partitions that a plan really looks into."""
    if plan.get("Actual Loops", 1) and "Relation Name" in plan:
        yield plan["Relation Name"]
    for child in plan.get("Plans", ()):
        yield from touched(child)


async def look(owner: asyncpg.Connection, sql: str, given: tuple[Any, ...]) -> set[str]:
    """Execute a statement for its plan alone."""
    undone = owner.transaction()
    await undone.start()
    try:
        # On tables this small the planner reads what it could leave out.
        for method in ("seqscan", "hashjoin", "mergejoin"):
            await owner.execute(f"SET LOCAL enable_{method} = off")
        how = "" if "INSERT INTO" in sql else "ANALYZE, "
        told = await owner.fetchval(f"EXPLAIN ({how}FORMAT JSON) {sql}", *given)
    finally:
        await undone.rollback()
    return set(touched(json.loads(told)[0]["Plan"]))


async def test_what_is_done_for_a_run_looks_into_its_month_only(
    scene: Scene, owner: asyncpg.Connection
) -> None:
    await make(scene, OLD, LATER)
    with overheard(scene) as heard:
        run_id = await run_in(scene, OLD)
        await call_all(scene, run_id)
        lost = await run_in(scene, LATER)
        taken = await claim(scene, lost, "w1", wanted=1)
        await intend(scene, taken, "w1")
        await expire(scene)
        again = await claim(scene, lost, "w2")
        async with transaction(scene.database) as session:
            await claims.close(session, again, owner="w2")
    ours = {sql: given for sql, given in heard if any(t in sql for t in cohorts.PARTITIONED)}
    elsewhere = {}
    for sql, given in ours.items():
        names = {name for name in await look(owner, sql, given) if OTHERS.match(name)}
        if names and not any(sweep in sql for sweep in SWEEPS):
            elsewhere[sql] = names
    assert not elsewhere, elsewhere
    assert len(ours) > 15


def read(plan: dict[str, Any]) -> int:
    """The rows that a plan looked at, those that it left out included."""
    rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    below = sum(read(child) for child in plan.get("Plans", ()))
    return int(rows) * int(plan["Actual Loops"]) + below if "Relation Name" in plan else below


async def test_who_waits_for_another_day_is_not_looked_at(
    scene: Scene, owner: asyncpg.Connection
) -> None:
    run_id = await scene.start_run(6_000, chunk=3_000)  # as few as make a run's index dearer
    await scene.rows(
        "UPDATE jobs SET state = 'waiting', reason = 'out_of_window', due_at = CASE"
        " WHEN seq <= 5 THEN clock_timestamp() ELSE 'infinity' END RETURNING 1"
    )
    await scene.rows("UPDATE cursors SET next_seq = total + 1 RETURNING 1")
    with overheard(scene) as heard:
        assert len((await intend(scene, await claim(scene, run_id, "w1"), "w1")).granted) == 5
        assert await next_claim(scene.database, run_id, lease=Lease("w1", 30), wanted=9) is None
        async with transaction(scene.database) as session:
            assert await runs.live_runs(session) == []
    asked = {sql: given for sql, given in heard if "due_at <=" in sql}
    assert len(asked) == 3
    await owner.execute("SET enable_seqscan = off")  # of so few rows it costs nothing
    await owner.execute("ANALYZE jobs")
    for sql, given in asked.items():
        told = await owner.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *given)
        assert read(json.loads(told)[0]["Plan"]) < 50, told
