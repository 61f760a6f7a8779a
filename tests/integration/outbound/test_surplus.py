"""A second call that its provider never let us stop is not given up in silence."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from tests.integration.outbound.stage import NOWHERE, Stage

from trunkline_outbound.gateways.twilio_calls import TwilioCalls
from trunkline_outbound.surplus import MOST_TRIES, brake_surplus

_ADD = """
INSERT INTO surplus_calls (account, provider_id, attempt_id, business_id, channel_id)
VALUES (:a, :p, 'att_1', :b, :c) RETURNING 1
"""
_RESULT = "SELECT result FROM surplus_calls"
_DUE = "UPDATE surplus_calls SET try_at = clock_timestamp() RETURNING 1"


async def one(stage: Stage) -> None:
    scene = stage.scene
    about = {"a": scene.account, "b": scene.business_id, "c": scene.channel_id}
    await scene.rows(_ADD, p="CA" + "7" * 32, **about)


def counted(result: str) -> float:
    return REGISTRY.get_sample_value("trunkline_surplus_calls_total", {"result": result}) or 0.0


async def test_a_silent_provider_is_tried_so_often_and_then_there_is_an_alarm(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    scene, before = stage.scene, counted("given_up")
    silent = TwilioCalls(stage.http, NOWHERE)
    await one(stage)
    for _ in range(MOST_TRIES):
        await scene.rows(_DUE)
        assert await brake_surplus(scene.database, silent, stage.accounts) == 1
        assert await scene.value(_RESULT) is None, "the last try has its time as well"
    await scene.rows(_DUE)
    for _ in range(2):
        assert await brake_surplus(scene.database, silent, stage.accounts) == 0
    assert await scene.value(_RESULT) == "given_up"
    assert counted("given_up") == before + 1
    alarms = [r for r in caplog.records if r.message == "call.surplus_given_up"]
    assert [record.levelname for record in alarms] == ["ERROR"]


async def test_what_was_answered_in_time_is_counted_as_what_it_came_to(stage: Stage) -> None:
    scene, before = stage.scene, counted("too_late")
    await one(stage)
    await scene.rows("UPDATE surplus_calls SET tries = :t RETURNING 1", t=MOST_TRIES - 1)
    await brake_surplus(scene.database, stage.registry, stage.accounts)
    await scene.rows(_DUE)
    await brake_surplus(scene.database, stage.registry, stage.accounts)
    assert await scene.value(_RESULT) == "too_late"
    assert counted("too_late") == before + 1
