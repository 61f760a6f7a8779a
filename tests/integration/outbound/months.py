"""Runs of months that are long past, with everything that their calls leave behind."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from tests.integration.outbound.scene import Scene, addresses, contacts_of
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.contracts.api import RunAudienceAdded, RunAudienceClosed
from trunkline_common.db import transaction
from trunkline_common.ids import RUN, first_id, new_id
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.domain.cohorts import months
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.runs import complete_finished
from trunkline_outbound.store import cohorts

OLD = datetime(2020, 2, 11, tzinfo=UTC)
LATER = datetime(2020, 3, 30, tzinfo=UTC)


def run_of(moment: datetime) -> str:
    """An id as it would have been made then."""
    return first_id(RUN, moment) + new_id(RUN)[-16:]


async def make(scene: Scene, *moments: datetime) -> None:
    """Months of the past, as if they had been made in their time."""
    for moment, whole in itertools.product(moments, cohorts.PARTITIONED):
        async with transaction(scene.database) as session:
            await cohorts.make(session, whole, months(moment, ahead=0)[0])


async def run_in(scene: Scene, moment: datetime, *, jobs: int = 2) -> str:
    """A run that was made then, with a duplicate in its audience, and a pace of its own."""
    run_id = run_of(moment)
    await scene.hear(scene.requested(run_id, per_second=1000.0))
    people = contacts_of([*addresses(jobs), *addresses(1)])
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=1, contacts=tuple(people)))
    await scene.hear(RunAudienceClosed(run_id=run_id, chunks=1, contacts=jobs + 1))
    return run_id


async def call_all(scene: Scene, run_id: str) -> None:
    """One job is deferred and called later, every other at once; all calls end."""
    taken = await claim(scene, run_id, "w1")
    first, *others = (await intend(scene, taken, "w1")).granted
    await record(scene.database, [Recorded(first.attempt_id, run_id, Result("not_sent"))])
    due = "UPDATE jobs SET due_at = now() WHERE run_id = :r AND state = 'waiting' RETURNING 1"
    await scene.rows(due, r=run_id)
    again = (await intend(scene, await claim(scene, run_id, "w1"), "w1")).granted
    for attempt in (*again, *others):
        sid = f"CA{attempt.attempt_id}"
        result = Result("accepted", provider_id=sid)
        await record(scene.database, [Recorded(attempt.attempt_id, run_id, result)])
        await scene.report(attempt.attempt_id, sid, "completed", duration=3)
    await fold_calls(scene.database, batch=100)
    await scene.rows("UPDATE claims SET closed_at = now(), owner = NULL RETURNING 1")
    await complete_finished(scene.database)


async def end(scene: Scene, run_id: str, *, days_ago: int) -> None:
    await scene.rows(
        "UPDATE runs SET state = 'completed', ended_at = clock_timestamp()"
        " - make_interval(days => :days) WHERE run_id = :r RETURNING 1",
        r=run_id,
        days=days_ago,
    )


async def parts_of(scene: Scene, table: str) -> set[str]:
    """Where the rows of a table lie."""
    place = "CAST(CAST(tableoid AS regclass) AS text)"
    return {str(row[0]) for row in await scene.rows(f"SELECT DISTINCT {place} FROM {table}")}  # noqa: S608


async def rows_in(scene: Scene, table: str) -> int:
    return int(str(await scene.value(f"SELECT count(*) FROM {table}")))  # noqa: S608


async def known(scene: Scene) -> set[str]:
    rows = await scene.rows("SELECT whole || '_' || cohort FROM partitions WHERE cohort < '2021'")
    return {str(row[0]) for row in rows}
