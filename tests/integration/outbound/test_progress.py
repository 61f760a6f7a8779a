"""How far a run is: told in an order that its versions give."""

from __future__ import annotations

import json

from tests.integration.outbound.scene import Scene

from trunkline_common.db import transaction
from trunkline_outbound import runs
from trunkline_outbound.progress import _tell, tell_progress
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
