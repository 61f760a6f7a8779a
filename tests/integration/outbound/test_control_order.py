"""Controls count in the order in which they were asked, whatever the order in which they come."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_controls import CONTROLS, ask, state_of

from trunkline_common.contracts.api import RunEdited, RunPolicy

WISHES = [("pause", 1), ("resume", 2), ("pause", 3), ("resume", 4)]


async def answers(scene: Scene) -> list[dict[str, Any]]:
    rows = await scene.rows(
        "SELECT name, CAST(payload AS jsonb) FROM outbox"
        " WHERE CAST(payload AS jsonb) ? 'control_id' ORDER BY position"
    )
    return [{"name": name, **said} for name, said in rows if isinstance(said, dict)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
async def test_the_last_that_was_asked_holds(scene: Scene, order: tuple[int, ...]) -> None:
    run_id = await scene.start_run(2)
    for place in order:
        control, number = WISHES[place]
        await ask(scene, control, run_id, number=number)
    assert await state_of(scene, run_id) == "running"
    said = await answers(scene)
    assert len(said) == 4
    late = [n for n, place in enumerate(order) if place < max(order[: n + 1])]
    refused = [n for n, one in enumerate(said) if one["name"] == "run.control_refused.v1"]
    assert refused == late
    assert {said[n]["reason"] for n in refused} <= {"superseded"}


async def test_a_pause_that_was_asked_before_the_resume_does_not_win(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    await ask(scene, "resume", run_id, number=2)
    late = await ask(scene, "pause", run_id, number=1)
    assert (late["name"], late["reason"]) == ("run.control_refused.v1", "superseded")
    assert await state_of(scene, run_id) == "running"
    await ask(scene, "pause", run_id, number=3)
    assert await state_of(scene, run_id) == "paused"
    again = await ask(scene, "pause", run_id, number=3)  # the same once more is no later one
    assert again["name"] == "run.paused.v1"


async def test_an_edit_and_a_pause_do_not_supersede_each_other(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    await ask(scene, "pause", run_id, number=3)
    policies = {2: RunPolicy(concurrent=2), 1: RunPolicy(concurrent=9)}
    for number, policy in policies.items():
        event = RunEdited(run_id=run_id, control_id="c", policy=policy, number=number)
        await scene.hear(event)
    assert [one["name"] for one in await answers(scene)][1:] == [
        "run.policy_changed.v1",
        "run.control_refused.v1",
    ]
    assert await scene.value("SELECT policy ->> 'concurrent' FROM runs") == "2"
    assert await state_of(scene, run_id) == "paused"


async def test_a_cancel_is_never_too_late(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    await ask(scene, "resume", run_id, number=5)
    assert (await ask(scene, "cancel", run_id, number=4))["name"] == "run.cancelling.v1"
    for control in CONTROLS:
        said = await ask(scene, control, run_id, number=3)
        assert said.get("reason") != "superseded"


async def test_without_numbers_they_count_as_they_come(scene: Scene) -> None:
    """As an older api says them."""
    run_id = await scene.start_run(2)
    await ask(scene, "resume", run_id, number=7)
    await ask(scene, "pause", run_id)
    assert await state_of(scene, run_id) == "paused"
