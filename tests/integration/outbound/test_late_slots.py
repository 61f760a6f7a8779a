"""A call that is in the air after its slot was freed is counted again, over the cap too."""

from __future__ import annotations

from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_outbound.claims import next_claim
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.horizons import Horizons, close_silent
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store.claims import Claim, Lease

FIRST, SECOND = "CA" + "1" * 32, "CA" + "2" * 32


async def in_use(scene: Scene) -> list[tuple[object, ...]]:
    rows = await scene.rows(
        "SELECT kind, in_use FROM limits WHERE in_use > 0 OR kind = 'account' ORDER BY kind"
    )
    return [tuple(row) for row in rows]


async def given_up(scene: Scene, run_id: str) -> str:
    """An attempt of the run whose answer was lost, until its horizon: its slot is free again."""
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=1)
    attempt_id = intents.granted[0].attempt_id
    await record(
        scene.database, [Recorded(attempt_id, run_id, Result("in_doubt", reason="time-out"))]
    )
    await scene.rows(
        "UPDATE attempts SET send_deadline = clock_timestamp() - interval '2 h'"
        " WHERE state = 'in_doubt' RETURNING 1"
    )
    await close_silent(scene.database, Horizons(in_doubt=3600))
    return attempt_id


async def admitted(scene: Scene, run_id: str) -> int:
    """How many may go now."""
    taken = await next_claim(scene.database, run_id, lease=Lease("w1", 30), wanted=5)
    return len((await intend(scene, taken, "w1")).granted) if isinstance(taken, Claim) else 0


async def test_a_late_proved_call_takes_its_slot_again_and_nothing_more_goes(scene: Scene) -> None:
    run_id = await scene.start_run(3, concurrent=1)
    late = await given_up(scene, run_id)
    assert await scene.value("SELECT count(*) FROM slots") == 0
    second = await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=5)
    [granted] = second.granted
    accepted = Result("accepted", provider_id=SECOND)
    await record(scene.database, [Recorded(granted.attempt_id, run_id, accepted)])
    await scene.report(late, FIRST, "ringing")
    await fold_calls(scene.database, batch=10)
    assert await in_use(scene) == [("account", 2), ("business", 2), ("run", 2)]  # over the cap of 1
    assert await admitted(scene, run_id) == 0
    await scene.report(granted.attempt_id, SECOND, "completed")
    await fold_calls(scene.database, batch=10)
    assert await in_use(scene) == [("account", 1), ("business", 1), ("run", 1)]
    assert await admitted(scene, run_id) == 0  # the late one is still in the air, alone in its cap
    await scene.report(late, FIRST, "completed")
    await fold_calls(scene.database, batch=10)
    assert await in_use(scene) == [("account", 0)]
    assert await admitted(scene, run_id) == 1


async def test_a_late_proof_of_a_call_that_is_over_holds_nothing(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    late = await given_up(scene, run_id)
    for status in ("completed", "ringing", "completed"):
        await scene.report(late, FIRST, status)
        await fold_calls(scene.database, batch=10)
    assert await scene.value("SELECT count(*) FROM slots") == 0
    assert await in_use(scene) == [("account", 0)]
