"""A leg whose provider stays silent ends `unknown`, is counted, and a late end corrects it."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.stage import Stage
from tests.integration.outbound.test_legs import SID, report_inbound, said

from trunkline_outbound.after_calls import poll_silent_legs
from trunkline_outbound.gateways.twilio_calls import TwilioCalls
from trunkline_outbound.legs import MOST_POLLS, close_silent_legs, fold_legs
from trunkline_outbound.news import poll_silent_calls

NOWHERE = "http://127.0.0.1:9"


async def leg_of(scene: Scene, status: str = "in-progress") -> None:
    await report_inbound(scene, SID, status)
    await fold_legs(scene.database, batch=10)


async def ask_to_the_end(stage: Stage, registry: TwilioCalls) -> None:
    """All the questions that a leg is worth, without the time between them."""
    scene = stage.scene
    await scene.rows("UPDATE legs SET polls = :p RETURNING 1", p=MOST_POLLS - 2)
    for _ in range(2):
        await scene.rows("UPDATE legs SET poll_at = clock_timestamp() RETURNING 1")
        assert await close_silent_legs(scene.database) == 0, "while it is asked about"
        assert await poll_silent_legs(scene.database, registry, stage.accounts, first=60) == 1
    assert await close_silent_legs(scene.database) == 0, "the last answer has its time"
    await scene.rows("UPDATE legs SET poll_at = clock_timestamp() RETURNING 1")


def counted() -> float:
    return REGISTRY.get_sample_value("trunkline_legs_unknown_total", {"direction": "inbound"}) or 0


@pytest.mark.parametrize("provider", ["silent", "ignorant"])
async def test_a_leg_of_which_nothing_is_heard_ends_unknown(
    stage: Stage, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene, before = stage.scene, counted()
    await leg_of(scene)
    silent = TwilioCalls(stage.http, NOWHERE)
    await ask_to_the_end(stage, silent if provider == "silent" else stage.registry)
    assert await poll_silent_legs(scene.database, silent, stage.accounts, first=60) == 0
    assert await close_silent_legs(scene.database) == 1
    assert await close_silent_legs(scene.database) == 0, "once"
    told = await said(scene)
    assert [name for name, _ in told][2:] == ["call.leg_unknown.v1"]
    last = told[-1][1]
    assert (last["version"], last["reason"]) == (2, "no_final_callback")
    assert (last["outcome"], last["ended_at"]) == (None, None)
    assert counted() == before + 1
    assert [r.levelname for r in caplog.records if r.message == "call.leg_silent"] == ["ERROR"]


async def test_only_an_end_corrects_what_is_unknown(stage: Stage) -> None:
    scene = stage.scene
    await leg_of(scene, "ringing")
    await ask_to_the_end(stage, TwilioCalls(stage.http, NOWHERE))
    await close_silent_legs(scene.database)
    await leg_of(scene, "in-progress")
    assert [name for name, _ in await said(scene)][1:] == ["call.leg_unknown.v1"]
    await leg_of(scene, "completed")
    told = await said(scene)
    assert [name for name, _ in told][2:] == ["call.leg_ended.v1"]
    assert (told[-1][1]["outcome"], told[-1][1]["version"]) == ("answered", 4)
    assert await close_silent_legs(scene.database) == 0


async def test_a_leg_that_is_over_is_not_closed_again(stage: Stage) -> None:
    scene = stage.scene
    await leg_of(scene, "completed")
    await scene.rows("UPDATE legs SET polls = :p, poll_at = now() RETURNING 1", p=MOST_POLLS)
    assert await close_silent_legs(scene.database) == 0


async def test_a_call_may_be_asked_about_for_weeks(stage: Stage) -> None:
    """The delays double: 2 to the power of 1,100 is no number that PostgreSQL knows."""
    scene = stage.scene
    run_id = await scene.start_run(1)
    await stage.dispatch(run_id, accepted=1)
    await scene.rows("UPDATE calls SET polls = 1100, poll_at = now() RETURNING 1")
    silent = TwilioCalls(stage.http, NOWHERE)
    assert await poll_silent_calls(scene.database, silent, stage.accounts, first=60) == 1
