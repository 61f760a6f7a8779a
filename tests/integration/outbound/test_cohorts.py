"""Months of runs: made ahead, filled, and dropped when all their runs are past retention."""

from __future__ import annotations

import asyncpg
import pytest
from prometheus_client import REGISTRY
from tests.integration.outbound.months import (
    LATER,
    OLD,
    call_all,
    end,
    known,
    make,
    parts_of,
    rows_in,
    run_in,
)
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.db import transaction
from trunkline_common.testing import eventually
from trunkline_outbound.cohorts import drop_past, keep_cohorts, keep_statistics, make_months
from trunkline_outbound.domain.cohorts import months
from trunkline_outbound.store import cohorts

pytestmark = pytest.mark.usefixtures("owner")

EVERYWHERE = (
    *("runs", "cursors", "claims", "rejects", "audience_chunks", "audience_ends", "limits"),
    *("jobs", "attempts", "decisions", "calls", "call_events", "provider_calls", "pace"),
)
# What is there only while something is in the air, has an end of its own, or is of no run.
KEPT = {"slots", "open_sends", "touches", "audit_differences", "legs"}


async def test_months_are_made_ahead_and_only_once(scene: Scene) -> None:
    await make_months(scene.database)
    await make_months(scene.database)
    rows = await scene.rows("SELECT whole, cohort FROM partitions")
    async with transaction(scene.database) as session:
        wanted = months(await cohorts.now(session), ahead=3)
    assert {(whole, m.name) for whole in cohorts.PARTITIONED for m in wanted} <= set(rows)


async def test_a_runs_rows_lie_in_the_month_in_which_it_was_made(scene: Scene) -> None:
    await make(scene, OLD)
    await call_all(scene, await run_in(scene, OLD))
    for table in cohorts.PARTITIONED:
        assert await parts_of(scene, table) == {f"{table}_2020_02"}


async def test_what_came_before_its_month_moves_into_it(scene: Scene) -> None:
    run_id = await run_in(scene, OLD)
    await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=1)
    other = await run_in(scene, LATER)
    assert await parts_of(scene, "jobs") == {"jobs_default"}
    await make(scene, OLD)
    assert await parts_of(scene, "jobs") == {"jobs_default", "jobs_2020_02"}
    assert await parts_of(scene, "attempts") == {"attempts_2020_02"}
    assert await scene.states(run_id) == {"sending": 1, "queued": 1}
    assert await scene.states(other) == {"queued": 2}


async def test_rows_that_no_month_has_are_counted(scene: Scene) -> None:
    await run_in(scene, OLD)
    await keep_cohorts(scene.database, keep_days=400)
    labels = {"table": "jobs"}
    assert REGISTRY.get_sample_value("trunkline_default_partition_rows", labels) == 2


async def test_a_month_goes_with_all_that_its_runs_left_anywhere(scene: Scene) -> None:
    await make(scene, OLD, LATER)
    past, kept = await run_in(scene, OLD), await run_in(scene, LATER)
    for run_id in (past, kept):
        await call_all(scene, run_id)
        await end(scene, run_id, days_ago=500)
    await end(scene, kept, days_ago=300)
    before = {table: await rows_in(scene, table) for table in EVERYWHERE}
    assert all(rows >= 2 for rows in before.values()), before
    assert await drop_past(scene.database, keep_days=400)
    assert await known(scene) == {f"{table}_2020_03" for table in cohorts.PARTITIONED}
    gone = {table: await rows_in(scene, table) for table in EVERYWHERE}
    account = {"limits": 2, "pace": 1}  # of the business and its channel
    for table, rows in gone.items():
        left = account.get(table, 0)
        assert rows - left == (before[table] - left) / 2, table
    assert not await drop_past(scene.database, keep_days=400)


@pytest.mark.parametrize("state", ["running", "paused", "cancelling"])
async def test_a_month_stays_while_a_run_of_it_is_not_final(scene: Scene, state: str) -> None:
    await make(scene, OLD)
    done, live = await run_in(scene, OLD), await run_in(scene, OLD)
    for run_id in (done, live):
        await end(scene, run_id, days_ago=500)
    await scene.rows(
        "UPDATE runs SET state = :state, ended_at = NULL WHERE run_id = :r RETURNING 1",
        state=state,
        r=live,
    )
    assert not await drop_past(scene.database, keep_days=400)
    async with transaction(scene.database) as session:
        for part in await cohorts.known(session):
            if part.name == "2020_02":
                assert not await cohorts.drop(session, part, keep_days=400)
    assert await scene.states(done) == {"queued": 2}


async def test_a_drop_that_was_broken_off_is_taken_up_again(scene: Scene) -> None:
    await make(scene, OLD)
    run_id = await run_in(scene, OLD)
    await call_all(scene, run_id)
    await end(scene, run_id, days_ago=500)
    async with transaction(scene.database) as session:
        await cohorts.forget_runs(session, [run_id])
        parts = {p.whole: p for p in await cohorts.known(session) if p.name == "2020_02"}
        assert await cohorts.drop(session, parts["decisions"], keep_days=400)
    assert await drop_past(scene.database, keep_days=400)
    assert await known(scene) == set()
    assert await scene.value("SELECT count(*) FROM calls") == 0


async def test_months_wait_for_nobody_who_works(scene: Scene, owner: asyncpg.Connection) -> None:
    await make(scene, OLD)
    async with owner.transaction():
        await owner.execute("LOCK TABLE jobs IN ACCESS SHARE MODE")
        with pytest.raises(Exception, match="lock timeout"):
            await scene.rows("SELECT drop_partition('jobs', '2020_02', 400)")
    assert "jobs_2020_02" in await known(scene)


@pytest.mark.parametrize("name", ["2020_02; DROP TABLE runs", "x", "2020_2"])
async def test_services_make_months_and_nothing_else(scene: Scene, name: str) -> None:
    [month] = months(OLD, ahead=0)
    with pytest.raises(Exception, match="not a month of runs"):
        await scene.rows(
            "SELECT make_partition('jobs', :name, :lower, :upper)",
            name=name,
            lower=month.lower_id,
            upper=month.upper_id,
        )
    with pytest.raises(Exception, match="must be owner"):
        await scene.rows("DROP TABLE jobs_default")


async def test_every_table_that_tells_of_runs_is_forgotten_with_them(scene: Scene) -> None:
    rows = await scene.rows(
        "SELECT DISTINCT table_name FROM information_schema.columns"
        " WHERE table_schema = current_schema()"
        " AND column_name IN ('run_id', 'attempt_id', 'claim_id', 'call_id')"
    )
    parts = await scene.rows("SELECT CAST(inhrelid AS regclass) FROM pg_inherits")
    tables = {str(row[0]) for row in rows} - {str(row[0]) for row in parts}
    known = {*cohorts.PARTITIONED, *cohorts.OF_ATTEMPTS, *cohorts.OF_RUNS, *cohorts.LAST}
    assert tables - KEPT <= known


_MANY = """
INSERT INTO jobs (run_id, seq, business_id, contact_id, address)
SELECT :r, n, :b, 'con_' || n, '+1202' || lpad(n::text, 7, '0') FROM generate_series(3, 8000) AS n
"""
_LOOKED_AT = """
SELECT count(*) FROM pg_stats
 WHERE schemaname = current_schema() AND tablename = 'jobs_2020_02' AND attname = 'state'
"""


async def test_a_month_that_fills_is_analysed_at_once_and_only_then(scene: Scene) -> None:
    await make(scene, OLD)
    run_id = await run_in(scene, OLD)
    await keep_statistics(scene.database)
    assert await scene.rows(_LOOKED_AT) == [(0,)], "a handful of rows is no reason to look"
    await scene.rows(f"{_MANY} RETURNING 1", r=run_id, b=scene.business_id)

    async def analysed() -> bool:  # the server tells of new rows a moment later
        return await keep_statistics(scene.database) > 0

    await eventually(analysed, within=20, what="the month's statistics")
    assert await scene.rows(_LOOKED_AT) == [(1,)]
