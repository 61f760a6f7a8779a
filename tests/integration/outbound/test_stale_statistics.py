"""A claim and its batches read their own rows, whatever the planner has been told of their month.

A run is new, and its month was analysed before it came, or never. What was known then says that
the run has one row at most, so that any index that begins with the run would do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.outbound import months
from tests.integration.outbound.crowd import copy_attempt, copy_job
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_plans import BATCH, Work, analyse, rows_read, sent

from trunkline_common.db import Database, open_database, transaction
from trunkline_outbound.app import SERVICE
from trunkline_outbound.store import answered, claims, cohorts, jobs
from trunkline_outbound.store.claims import Lease

MANY = 8_000
MOST = 30 * BATCH  # rows and index entries of a batch, however it finds them
LEASE = Lease("w", 600.0)
_WAIT = """
UPDATE jobs SET state = 'waiting', due_at = clock_timestamp() - make_interval(secs => 1),
       reason = 'busy'
 WHERE run_id = :r AND seq > :last RETURNING 1
"""
_EXPIRE = "UPDATE claims SET expires_at = now() WHERE run_id = :r RETURNING 1"


@pytest.fixture
async def one(database_urls: Mapping[str, str]) -> AsyncIterator[Database]:
    settings = SERVICE.database_settings
    url = database_urls["outbound"]
    async with open_database(url, application="stale", pool_size=1, settings=settings) as database:
        yield database


async def started(scene: Scene, moment: datetime) -> str:
    """A running run of many, of which hardly anybody came as events come."""
    run_id = await months.run_in(scene, moment, jobs=1)
    await copy_job(scene, run_id, MANY)
    return run_id


async def crowded(
    scene: Scene, one: Database, moment: datetime, *, is_analysed: bool
) -> tuple[str, Sequence[str]]:
    """A run of many; some are sent, some wait. Its first attempts."""
    if is_analysed:
        await sent(scene, one, await started(scene, moment), "old")
        await analyse(scene)
    run_id = await started(scene, moment + timedelta(days=1))
    first = await sent(scene, one, run_id, "w")
    await sent(scene, one, run_id, "v")
    await copy_attempt(scene, run_id, MANY)
    await scene.rows(_WAIT, r=run_id, last=MANY - 10 * BATCH)
    await scene.rows(_EXPIRE, r=run_id)
    return run_id, first


@pytest.fixture
async def month(scene: Scene, request: pytest.FixtureRequest) -> AsyncIterator[datetime]:
    """A month of its own, which is gone afterwards."""
    moment = datetime(2021, request.param, 11, tzinfo=UTC)
    await months.make(scene, moment)
    yield moment
    await scene.rows("UPDATE runs SET state = 'completed', ended_at = '2021-12-01' RETURNING 1")
    for whole in cohorts.PARTITIONED:
        name = f"{whole}_{moment:%Y_%m}"
        async with transaction(scene.database) as session:
            [part] = [p for p in await cohorts.known(session) if f"{p.whole}_{p.name}" == name]
            assert await cohorts.drop(session, part, keep_days=1)


@pytest.mark.parametrize(
    ("month", "is_analysed"),
    [(5, True), (6, False)],
    ids=["analysed before", "never analysed"],
    indirect=["month"],
)
async def test_nothing_reads_more_of_a_new_run_than_it_takes(
    scene: Scene, one: Database, month: datetime, is_analysed: bool
) -> None:
    run_id, first = await crowded(scene, one, month, is_analysed=is_analysed)
    keys = [(run_id, attempt) for attempt in first]
    async with one.sessions() as session:
        locked = await answered.lock(session, keys)
        lost = await claims.lock_expired(session, run_id)
    assert lost is not None
    news = [(a.attempt, f"CA{a.attempt.attempt_id}") for a in locked.values()]
    whose = scene.business_id
    works: dict[str, Work] = {
        "lock": lambda s: answered.lock(s, keys),
        "accept": lambda s: answered.accept_open(s, news, said_by="test"),
        "due claim": lambda s: claims.insert_due(s, run_id, whose, wanted=BATCH, lease=LEASE),
        "look for due": lambda s: claims.has_due(s, run_id),
        "look for one": lambda s: jobs.lock_jobs(s, [(run_id, 1)]),
        "take-over": lambda s: jobs.doubt_sending(s, lost),
        "close": lambda s: claims.close(s, lost, owner=None),
    }
    read = {name: await rows_read(one, work) for name, work in works.items()}
    assert {name: rows for name, rows in read.items() if rows >= MOST} == {}
