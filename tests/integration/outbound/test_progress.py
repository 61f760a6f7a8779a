"""How far a run is: told in an order that its versions give."""

from __future__ import annotations

import json

from sqlalchemy import text
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.db import transaction
from trunkline_outbound import runs
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.horizons import Horizons, close_silent
from trunkline_outbound.progress import _tell, tell_progress
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store import runs as store


async def versions(scene: Scene) -> list[tuple[str, int]]:
    rows = await scene.rows("SELECT name, payload FROM outbox ORDER BY position")
    told = [(str(name), json.loads(str(payload))) for name, payload in rows]
    return [(name, fact["version"]) for name, fact in told if "version" in fact]


async def test_the_last_count_is_the_next_version_and_none_comes_after_it(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    await tell_progress(scene.database)
    async with transaction(scene.database) as session:
        counted = await store.get_run(session, run_id)  # by a scheduler that is slow to tell
    assert counted is not None
    await scene.rows(
        "UPDATE jobs SET state = 'done', reason = 'x', outcome = 'answered' RETURNING 1"
    )
    await scene.rows("UPDATE cursors SET next_seq = total + 1 RETURNING 1")
    assert await runs.complete_finished(scene.database) == 1
    async with transaction(scene.database) as session:
        await _tell(session, counted, {}, 2)
    assert await versions(scene) == [("run.progressed.v1", 1), ("run.completed.v1", 2)]
    assert await scene.value("SELECT progress_version FROM runs") == 2


async def last_told(scene: Scene) -> tuple[str, dict[str, int]]:
    [(name, payload)] = await scene.rows(
        "SELECT name, payload FROM outbox WHERE name LIKE 'run.%' ORDER BY position DESC LIMIT 1"
    )
    return str(name), json.loads(str(payload))["states"]


async def ended_in_doubt(scene: Scene) -> str:
    """A run whose only call ended `unknown`, and that is over; the call's attempt."""
    run_id = await scene.start_run(1)
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    attempt_id = intents.granted[0].attempt_id
    doubt = Recorded(attempt_id, run_id, Result("in_doubt", reason="time-out"))
    await record(scene.database, [doubt])
    await scene.rows("UPDATE attempts SET send_deadline = '-infinity' RETURNING 1")
    await close_silent(scene.database, Horizons())
    await scene.rows("UPDATE claims SET closed_at = clock_timestamp() RETURNING 1")
    assert await runs.complete_finished(scene.database) == 1
    assert await last_told(scene) == ("run.completed.v1", {"unknown": 1})
    return attempt_id


async def test_a_word_that_comes_after_a_runs_end_is_counted_and_told(scene: Scene) -> None:
    attempt_id = await ended_in_doubt(scene)
    await scene.report(attempt_id, "CA" + "7" * 32, "completed", duration=3)
    await fold_calls(scene.database, batch=10)
    await tell_progress(scene.database)
    assert await last_told(scene) == ("run.progressed.v1", {"done": 1})
    told = await versions(scene)
    await tell_progress(scene.database)
    assert await versions(scene) == told  # nothing came since: nothing is counted


async def test_what_commits_while_a_run_is_counted_is_counted_next(scene: Scene) -> None:
    attempt_id = await ended_in_doubt(scene)
    await scene.report(attempt_id, "CA" + "7" * 32, "completed", duration=3)
    await fold_calls(scene.database, batch=10)
    async with transaction(scene.database) as session:  # another one, after what was looked for
        await session.execute(text("UPDATE recounts SET number = number + 1"))
        run = await store.get_run(session, str(await scene.value("SELECT run_id FROM runs")))
        assert run is not None
        await _tell(session, run, None, 1, late=1)
    assert await scene.value("SELECT number > counted FROM recounts")


async def test_a_word_before_a_runs_end_waits_for_its_last_count(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    await scene.rows(f"INSERT INTO recounts (run_id) VALUES ('{run_id}') RETURNING 1")  # noqa: S608
    await tell_progress(scene.database)
    assert await scene.value("SELECT number > counted FROM recounts")
