"""Whatever a provider answers to one request, its result is kept: others wait behind it."""

from __future__ import annotations

import json

import pytest
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_answers import sent

from trunkline_common.last_byte import Answer
from trunkline_outbound.gateways.twilio import classify
from trunkline_outbound.records import Recorded, record


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("no \x00 such", id="NUL"),
        pytest.param("half \ud83d of two", id="half a pair"),
    ],
)
async def test_an_answer_of_any_letters_is_kept(scene: Scene, words: str) -> None:
    run_id = await scene.start_run(1)
    [attempt] = await sent(scene, run_id)
    body = json.dumps({"code": 21211, "message": words}).encode()
    await record(
        scene.database, [Recorded(attempt, run_id, classify(Answer("answered", 400, {}, body)))]
    )
    assert await scene.states(run_id) == {"done": 1}
