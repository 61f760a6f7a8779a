"""A run that fails too often pauses by itself, through the gate, and a resume counts anew."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.contracts.api import RunEdited, RunPolicy, RunResumeRequested
from trunkline_outbound.progress import tell_progress

BRAKE: dict[str, Any] = {"share": 0.5, "minimum": 4, "outcomes": ["failed"]}


async def end(scene: Scene, seqs: range, outcome: str) -> None:
    """Let these jobs end so, and the next count come."""
    await scene.rows(
        "UPDATE jobs SET state = 'done', outcome = :o, reason = 'x', claim_id = NULL"
        " WHERE seq BETWEEN :first AND :last RETURNING 1",
        o=outcome,
        first=seqs.start,
        last=seqs.stop - 1,
    )
    await scene.rows("UPDATE runs SET progress_due = '-infinity' RETURNING 1")
    await tell_progress(scene.database)


async def state(scene: Scene) -> tuple[object, object]:
    [(state, reason)] = await scene.rows("SELECT state, reason FROM runs")
    return state, reason


async def said(scene: Scene, name: str) -> list[dict[str, Any]]:
    rows = await scene.rows("SELECT payload FROM outbox WHERE name = :n ORDER BY position", n=name)
    return [json.loads(str(payload)) for (payload,) in rows]


async def test_too_many_failures_pause_the_run_and_nothing_is_admitted(scene: Scene) -> None:
    run_id = await scene.start_run(20, auto_pause=BRAKE)
    held = await claim(scene, run_id, "w1", wanted=20)
    await end(scene, range(1, 4), "failed")
    assert (await state(scene))[0] == "running"  # three say nothing yet
    sent = await intend(scene, held, "w1", wanted=2)
    await end(scene, range(6, 9), "answered")
    reason = "auto_pause: 3 of 6 ended failed"
    assert await state(scene) == ("paused", reason)
    [event] = await said(scene, "run.paused.v1")
    assert (event["reason"], event["control_id"], event["in_flight"]) == (reason, None, 2)
    assert len(sent.granted) == 2
    assert (await intend(scene, held, "w1")).lost  # I4: its token was revoked


async def test_a_resume_counts_anew(scene: Scene) -> None:
    run_id = await scene.start_run(20, auto_pause=BRAKE)
    await end(scene, range(1, 5), "failed")
    assert (await state(scene))[0] == "paused"
    await scene.hear(RunResumeRequested(run_id=run_id, control_id="c1"))
    await end(scene, range(5, 8), "failed")
    assert await state(scene) == ("running", None)
    await end(scene, range(8, 9), "failed")
    assert await state(scene) == ("paused", "auto_pause: 4 of 4 ended failed")


async def test_a_run_without_a_brake_and_one_that_is_edited(scene: Scene) -> None:
    run_id = await scene.start_run(20)
    await end(scene, range(1, 10), "failed")
    assert (await state(scene))[0] == "running"
    policy = RunPolicy.model_validate({"auto_pause": BRAKE})
    await scene.hear(RunEdited(run_id=run_id, control_id="c1", policy=policy))
    await end(scene, range(10, 11), "answered")
    assert await state(scene) == ("paused", "auto_pause: 9 of 10 ended failed")
