"""Plans that were made on empty tables: whatever a run's size, a batch reads its own rows only.

Each statement has been executed often enough to have a plan for good before the month fills, and
the month is then analysed as the scheduler does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.outbound.crowd import copy_attempt
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim

from trunkline_common.db import Database, open_database, transaction
from trunkline_outbound.admitted import Draft, Intents
from trunkline_outbound.app import SERVICE
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.intents import commit_intents
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store import answered, cohorts, jobs, runs

MANY = 3_000
BATCH = 10
OFTEN = 8  # a prepared statement may get a plan for good from its sixth execution on
_READ = text(
    """
SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid))
  FROM pg_class WHERE relkind IN ('r', 'i') AND relname ~ '^(jobs|attempts)'
"""
)
Work = Callable[[AsyncSession], Awaitable[object]]


async def rows_read(database: Database, work: Work) -> int:
    """How many rows and index entries of jobs and attempts a piece of work looks at."""
    async with transaction(database) as session:
        before = int((await session.execute(_READ)).scalar_one())
        await work(session)
        return int((await session.execute(_READ)).scalar_one()) - before


async def analyse(scene: Scene) -> None:
    """Have every month analysed, however little is new."""
    async with transaction(scene.database) as session:
        assert await cohorts.analyze(session, fewest=0, share=0.0) > 0


async def sent(scene: Scene, database: Database, run_id: str, owner: str) -> Sequence[str]:
    taken = await claim(scene, run_id, owner, wanted=BATCH)
    async with transaction(database) as session:
        run = await runs.get_run(session, run_id)
    assert run is not None
    intents: Intents = await commit_intents(
        database, taken, run, owner=owner, wanted=BATCH, deadline=10, draft=Draft()
    )
    return [attempt.attempt_id for attempt in intents.granted]


async def test_a_plan_of_an_empty_table_reads_no_more_of_a_large_run(
    scene: Scene, database_urls: Mapping[str, str]
) -> None:
    settings = SERVICE.database_settings
    async with open_database(
        database_urls["outbound"], application="plans", pool_size=1, settings=settings
    ) as one:
        small = await scene.start_run(OFTEN * BATCH)
        for number in range(OFTEN):
            attempts = await sent(scene, one, small, f"w{number}")
            await record(
                one,
                [Recorded(a, small, Result("accepted", provider_id=f"CA{a}")) for a in attempts],
            )
        large = await scene.start_run(MANY)
        await analyse(scene)
        first = await sent(scene, one, large, "w")
        await copy_attempt(scene, large, MANY)
        keys = [(large, seq) for seq in range(1, BATCH + 1)]
        works: list[Work] = [
            lambda session: answered.lock(session, [(large, a) for a in first]),
            lambda session: jobs.lock_jobs(session, keys),
        ]
        for work in works:
            assert await rows_read(one, work) < 20 * BATCH
