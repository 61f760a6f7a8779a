"""A provider's id that another attempt owns proves nothing of this one: it is in doubt."""

from __future__ import annotations

import pytest
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.stage import Stage
from tests.integration.outbound.test_answers import FIRST, SECOND, accepted, sent

from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import record
from trunkline_outbound.runs import complete_finished

HELD = "SELECT (SELECT count(*) FROM open_sends), (SELECT count(*) FROM slots)"


async def own_and_stray(scene: Scene, way: str) -> tuple[str, str, str]:
    """A run, the attempt that owns FIRST, and one of which the provider says FIRST as well."""
    run_id = await scene.start_run(2)
    own, stray = sorted(await sent(scene, run_id))
    await record(scene.database, accepted(run_id, [own]))
    if way == "answer":
        await record(scene.database, accepted(run_id, [stray]))
    else:
        await scene.report(stray, FIRST, "ringing")
        await fold_calls(scene.database, batch=10)
    return run_id, own, stray


@pytest.mark.parametrize("way", ["answer", "callback"])
async def test_its_job_is_in_doubt_and_keeps_what_it_holds(scene: Scene, way: str) -> None:
    run_id, own, stray = await own_and_stray(scene, way)
    assert await scene.states(run_id) == {"accepted": 1, "in_doubt": 1}
    assert await scene.rows("SELECT attempt_id, state, provider_id FROM attempts ORDER BY 1") == [
        (own, "accepted", FIRST),
        (stray, "in_doubt", None),
    ]
    assert await scene.rows(HELD) == [(1, 2)]
    assert await scene.rows("SELECT decision, rule FROM decisions") == [
        ("in_doubt", "id_of_another_call")
    ]
    assert await scene.value("SELECT attempt_id FROM provider_calls") == own


@pytest.mark.parametrize("way", ["answer", "callback"])
async def test_what_the_provider_does_not_list_ends_unknown_and_the_run_ends(
    stage: Stage, way: str
) -> None:
    scene = stage.scene
    run_id, own, _ = await own_and_stray(scene, way)
    await stage.let_the_grace_pass()
    await stage.ask()
    assert await scene.states(run_id) == {"accepted": 1, "unknown": 1}
    assert await scene.rows(HELD) == [(0, 1)]
    await scene.report(own, FIRST, "completed", duration=3)
    await fold_calls(scene.database, batch=10)
    await scene.rows("UPDATE claims SET closed_at = now(), owner = NULL RETURNING 1")
    await complete_finished(scene.database)
    assert await scene.value("SELECT state FROM runs") == "completed"


async def test_a_later_word_with_an_id_of_its_own_accepts_it(scene: Scene) -> None:
    run_id, _, stray = await own_and_stray(scene, "answer")
    await scene.report(stray, SECOND, "ringing")
    await fold_calls(scene.database, batch=10)
    assert await scene.states(run_id) == {"accepted": 2}
    assert await scene.value("SELECT count(*) FROM calls") == 2
    assert await scene.value("SELECT count(*) FROM surplus_calls") == 0


async def test_an_accepted_attempt_is_not_doubted_again(scene: Scene) -> None:
    """A second id, which is another's, changes nothing of an attempt with an id of its own."""
    run_id = await scene.start_run(2)
    own, other = sorted(await sent(scene, run_id))
    await record(scene.database, accepted(run_id, [own]))
    await record(scene.database, accepted(run_id, [other], SECOND))
    await scene.report(other, FIRST, "ringing")
    await fold_calls(scene.database, batch=10)
    assert await scene.states(run_id) == {"accepted": 2}
    assert await scene.rows("SELECT count(*) FROM decisions") == [(0,)]


async def test_what_was_given_up_stays_so(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    own, stray = sorted(await sent(scene, run_id))
    await record(scene.database, accepted(run_id, [own]))
    given_up = "state = 'unknown', resolved_at = now()"
    await scene.rows(
        f"UPDATE attempts SET {given_up} WHERE attempt_id = :a RETURNING 1",  # noqa: S608
        a=stray,
    )
    await record(scene.database, accepted(run_id, [stray]))
    states = await scene.rows("SELECT state FROM attempts ORDER BY attempt_id")
    assert states == [("accepted",), ("unknown",)]
