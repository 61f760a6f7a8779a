"""A run whose channel nobody told us of: it waits, and then it ends with its reason."""

from __future__ import annotations

import pytest
from tests.integration.outbound.scene import FakeVoice, Scene
from tests.integration.outbound.test_dispatch import running, until_states

from trunkline_common.db import Database
from trunkline_outbound import runs

LONG_AGO = "UPDATE runs SET created_at = clock_timestamp() - interval '61 seconds' RETURNING 1"


@pytest.fixture
def without_channel(outbound_database: Database) -> Scene:
    """A business whose channel is not known here yet."""
    return Scene(outbound_database)


async def sweep(scene: Scene) -> None:
    await runs.start_due_runs(scene.database)
    await runs.reject_hopeless(scene.database)


async def state_of(scene: Scene, run_id: str) -> object:
    rows = await scene.rows("SELECT state, reason FROM runs WHERE run_id = :r", r=run_id)
    return rows[0]


async def test_it_waits_for_its_channel_and_starts(without_channel: Scene) -> None:
    scene = without_channel
    run_id = await scene.start_run(3)
    await sweep(scene)
    assert await state_of(scene, run_id) == ("ready", None)
    await scene.open_channel()
    await sweep(scene)
    assert await state_of(scene, run_id) == ("running", None)
    async with running(scene.dispatcher(FakeVoice())):
        await until_states(scene, run_id, {"accepted": 3})


@pytest.mark.parametrize("jobs", [0, 3])
async def test_without_a_channel_it_is_rejected_and_every_job_has_its_end(
    without_channel: Scene, jobs: int
) -> None:
    scene = without_channel
    run_id = await scene.start_run(jobs)
    await scene.rows(LONG_AGO)
    await sweep(scene)
    await sweep(scene)
    assert await state_of(scene, run_id) == ("failed", "channel_unknown")
    assert await scene.rows("SELECT DISTINCT state, reason FROM jobs") == (
        [("cancelled", "channel_unknown")] if jobs else []
    )
    said = await scene.rows(
        "SELECT payload::jsonb->>'reason' FROM outbox WHERE name = 'run.rejected.v1'"
    )
    assert said == [("channel_unknown",)]
    await scene.open_channel()
    await sweep(scene)
    assert await state_of(scene, run_id) == ("failed", "channel_unknown")


async def test_a_channel_of_another_business_is_no_channel(
    without_channel: Scene, outbound_database: Database
) -> None:
    scene = without_channel
    await Scene(outbound_database, channel_id=scene.channel_id).open_channel()
    run_id = await scene.start_run(3)
    await scene.rows(LONG_AGO)
    await sweep(scene)
    assert await state_of(scene, run_id) == ("failed", "channel_unknown")


async def test_a_rejection_that_was_broken_off_is_finished_though_the_channel_came(
    without_channel: Scene,
) -> None:
    scene = without_channel
    run_id = await scene.start_run(3)
    await scene.rows(LONG_AGO)
    await scene.rows("UPDATE jobs SET state = 'cancelled', reason = 'x' WHERE seq = 1 RETURNING 1")
    await scene.rows("UPDATE cursors SET next_seq = 2 RETURNING 1")
    await scene.open_channel()
    await sweep(scene)
    assert await state_of(scene, run_id) == ("failed", "channel_unknown")
    assert await scene.states(run_id) == {"cancelled": 3}


async def test_a_disabled_channel_means_later(without_channel: Scene) -> None:
    scene = without_channel
    await scene.open_channel(enabled=False)
    run_id = await scene.start_run(3)
    await scene.rows(LONG_AGO)
    await sweep(scene)
    async with running(scene.dispatcher(FakeVoice())):
        await until_states(scene, run_id, {"waiting": 3})
    assert await state_of(scene, run_id) == ("running", None)
