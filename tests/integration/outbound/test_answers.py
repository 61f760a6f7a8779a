"""Answers in batches: jobs are locked before attempts, and one statement accepts the ordinary."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import text
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.db import transaction
from trunkline_common.testing import eventually
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store import answered, jobs

FIRST, SECOND = f"CA{1:032x}", f"CA{2:032x}"
_LOCK_ATTEMPT = text("SELECT 1 FROM attempts WHERE attempt_id = :a FOR NO KEY UPDATE NOWAIT")
_DOUBT_JOBS = text("UPDATE jobs SET state = 'in_doubt', claim_id = NULL")
_DOUBT_ATTEMPTS = text("UPDATE attempts SET state = 'in_doubt'")
_WAITING = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%of_asked%'
"""


async def sent(scene: Scene, run_id: str, wanted: int = 10) -> list[str]:
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=wanted)
    return [attempt.attempt_id for attempt in intents.granted]


def accepted(run_id: str, attempts: Sequence[str], provider_id: str = FIRST) -> list[Recorded]:
    return [Recorded(a, run_id, Result("accepted", provider_id=provider_id)) for a in attempts]


async def test_an_answer_makes_the_same_rows_however_often_it_comes(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    [attempt] = await sent(scene, run_id)
    for _ in range(2):
        await record(scene.database, 2 * accepted(run_id, [attempt]))
    assert await scene.states(run_id) == {"accepted": 1}
    assert await scene.rows("SELECT state, provider_id, resolved_by FROM attempts") == [
        ("accepted", FIRST, "answer")
    ]
    assert await scene.rows(
        "SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM provider_calls),"
        " (SELECT count(*) FROM slots), (SELECT count(*) FROM open_sends),"
        " (SELECT count(*) FROM surplus_calls)"
    ) == [(1, 1, 1, 0, 0)]
    dialled = "SELECT count(*) FROM outbox WHERE name = 'call.dialled.v1'"
    assert await scene.value(dialled) == 1


async def test_a_call_that_answers_for_two_attempts_is_the_firsts(scene: Scene) -> None:
    """INVARIANT I6, also within one batch."""
    run_id = await scene.start_run(2)
    attempts = await sent(scene, run_id)
    await record(scene.database, accepted(run_id, attempts))
    assert await scene.states(run_id) == {"accepted": 1, "in_doubt": 1}
    assert await scene.value("SELECT count(*) FROM calls") == 1
    assert await scene.value("SELECT count(*) FROM provider_calls") == 1


async def test_an_answer_finds_the_call_of_an_attempt_that_was_given_up(scene: Scene) -> None:
    """Both calls are of one job: the one that was asked for later is to be stopped."""
    run_id = await scene.start_run(1)
    [given_up] = await sent(scene, run_id)
    await scene.rows("UPDATE attempts SET state = 'absent' RETURNING 1")
    await scene.rows("DELETE FROM open_sends RETURNING 1")
    await scene.rows(
        "UPDATE jobs SET state = 'waiting', claim_id = NULL, open_attempt = NULL,"
        " due_at = clock_timestamp() RETURNING 1"
    )
    [again] = await sent(scene, run_id)
    await scene.report(given_up, FIRST, "ringing")
    await fold_calls(scene.database, batch=10)
    assert await scene.value("SELECT count(*) FROM surplus_calls") == 0
    await record(scene.database, accepted(run_id, [again], SECOND))
    assert await scene.rows("SELECT attempt_id, provider_id FROM surplus_calls") == [
        (again, SECOND)
    ]


async def waits(scene: Scene) -> bool:
    return await scene.value(_WAITING) == 1


async def test_nobody_holds_an_attempt_who_waits_for_its_job(scene: Scene) -> None:
    run_id = await scene.start_run(3)
    attempts = await sent(scene, run_id)
    async with asyncio.TaskGroup() as group, transaction(scene.database) as holder:
        await jobs.lock_jobs(holder, [(run_id, 3)])
        group.create_task(record(scene.database, accepted(run_id, attempts[:1])))
        group.create_task(record(scene.database, accepted(run_id, attempts[1:], SECOND)))
        await eventually(lambda: waits(scene))
        for attempt_id in attempts[1:]:  # fails at once if the other has one of them
            await holder.execute(_LOCK_ATTEMPT, {"a": attempt_id})
    assert await scene.states(run_id) == {"accepted": 2, "in_doubt": 1}


async def test_what_is_read_of_a_job_is_what_stands_when_its_lock_is_had(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    [attempt] = await sent(scene, run_id)
    seen: list[tuple[str, str]] = []

    async def look() -> None:
        async with transaction(scene.database) as session:
            found = await answered.lock(session, [(run_id, attempt)])
            seen.extend((one.job.state, one.attempt.state) for one in found.values())

    async with asyncio.TaskGroup() as group, transaction(scene.database) as holder:
        await answered.lock(holder, [(run_id, attempt)])
        group.create_task(look())
        await eventually(lambda: waits(scene))
        await holder.execute(_DOUBT_JOBS)
        await holder.execute(_DOUBT_ATTEMPTS)
    assert seen == [("in_doubt", "in_doubt")]
