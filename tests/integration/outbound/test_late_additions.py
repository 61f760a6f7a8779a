"""An addition whose piece died keeps its run: that is told, and there is a way out."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_additions import done, ends, finish, two_pieces
from tests.integration.outbound.test_controls import ask, state_of

from trunkline_outbound.cancelling import finish_cancelled
from trunkline_outbound.late_additions import LATE, watch_additions
from trunkline_outbound.runs import complete_finished

HORIZON = 3_600.0


async def waiting(scene: Scene) -> str:
    """A run with everybody called, that waits for the middle piece of three."""
    run_id = await scene.start_run(1)
    for event in two_pieces(run_id)[::2]:
        await scene.hear(event)
    await finish(scene, run_id)
    assert await state_of(scene, run_id) == "running"
    return run_id


async def quiet(scene: Scene, seconds: float) -> None:
    await scene.rows(
        "UPDATE additions SET moved_at = moved_at - make_interval(secs => :s) RETURNING 1",
        s=seconds,
    )
    await watch_additions(scene.database, horizon=HORIZON)


def counted(step: str) -> float:
    return REGISTRY.get_sample_value("trunkline_additions_late_total", {"step": step}) or 0.0


async def test_a_piece_that_stays_away_is_told_once_a_silence(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    run_id, before = await waiting(scene), counted("late")
    await quiet(scene, LATE - 60)
    assert caplog.messages == []
    for _ in range(2):
        await quiet(scene, 61)
    assert caplog.messages == ["run.addition_late"]
    assert counted("late") == before + 1
    assert await state_of(scene, run_id) == "running"


async def test_a_replayed_piece_goes_on_as_if_it_had_come_in_time(scene: Scene) -> None:
    run_id = await waiting(scene)
    await quiet(scene, LATE + 1)
    await scene.hear(two_pieces(run_id)[1])
    [end] = await ends(scene)
    assert (end["refused"], end["added"] > 3) == (None, True)
    await finish(scene, run_id)
    assert await state_of(scene, run_id) == "completed"


async def test_a_piece_that_never_comes_is_let_go_of_and_the_run_ends(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    run_id, before = await waiting(scene), counted("let_go")
    await quiet(scene, HORIZON + 1)
    assert "run.addition_let_go" in caplog.messages
    assert counted("let_go") == before + 1
    [end] = await ends(scene)
    assert (end["refused"], end["added"], end["total"]) == ("pieces_missing", 3, 4)
    await complete_finished(scene.database)
    assert await state_of(scene, run_id) == "completed"
    await scene.hear(two_pieces(run_id)[1])
    assert await scene.value("SELECT count(*) FROM jobs") == 4, "too late is too late"
    await quiet(scene, HORIZON + 1)
    assert len(await ends(scene)) == 1


async def test_a_cancel_ends_the_run_and_answers_who_added(scene: Scene) -> None:
    run_id = await waiting(scene)
    await ask(scene, "cancel", run_id)
    await done(scene, run_id)
    await finish_cancelled(scene.database)
    assert await state_of(scene, run_id) == "cancelled"
    [end] = await ends(scene)
    assert (end["refused"], end["added"]) == ("the run is cancelled", 3)
