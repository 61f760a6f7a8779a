"""Attempt policies by outcome: each kind of end has its own delays, and one cap holds for all."""

from __future__ import annotations

from typing import Any

from tests.integration.outbound.scene import FakeVoice, Scene
from tests.integration.outbound.test_controls import dispatching

from trunkline_common.testing import facts
from trunkline_outbound.folding import fold_calls

POLICY: dict[str, Any] = {
    "max_attempts": 4,
    "retries": {
        "busy": {"most": 1, "delays": [60, 300]},
        "machine": {"most": 2, "delays": [1000, 2000]},
    },
}


async def end(scene: Scene, run_id: str, voice: FakeVoice, status: str, **more: object) -> None:
    """Dial what is due, and let the call end like this."""
    await scene.rows("UPDATE jobs SET due_at = now() WHERE state = 'waiting' RETURNING 1")

    async def accepted() -> bool:
        return await scene.states(run_id) == {"accepted": 1}

    async with dispatching(scene, voice):
        await facts.eventually(accepted)
    [(attempt_id, provider_id)] = await scene.rows(
        "SELECT attempt_id, provider_id FROM attempts ORDER BY intent_at DESC LIMIT 1"
    )
    await scene.report(str(attempt_id), str(provider_id), status, **more)
    await fold_calls(scene.database, batch=10)


async def wait_of(scene: Scene) -> int:
    wait = await scene.value("SELECT round(extract(epoch FROM due_at - now()), -1) FROM jobs")
    return int(str(wait))


async def test_each_outcome_has_its_own_delays_and_limit(scene: Scene) -> None:
    run_id, voice = await scene.start_run(1, **POLICY), FakeVoice()
    await end(scene, run_id, voice, "busy")
    assert (await scene.states(run_id), await wait_of(scene)) == ({"waiting": 1}, 60)
    await end(scene, run_id, voice, "completed", answered_by="machine_start")
    assert (await scene.states(run_id), await wait_of(scene)) == ({"waiting": 1}, 1000)
    await end(scene, run_id, voice, "completed", answered_by="machine_start")
    assert (await scene.states(run_id), await wait_of(scene)) == ({"waiting": 1}, 2000)
    await end(scene, run_id, voice, "busy")  # the second busy, and one was to be tried again
    assert await scene.states(run_id) == {"exhausted": 1}
    assert await scene.value("SELECT reason FROM jobs") == "call_busy after 4 attempts"


async def test_what_the_policy_does_not_name_is_an_end(scene: Scene) -> None:
    run_id, voice = await scene.start_run(1, **POLICY), FakeVoice()
    await end(scene, run_id, voice, "no-answer")
    assert await scene.states(run_id) == {"done": 1}
