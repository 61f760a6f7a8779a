"""Whatever a provider answers to one request, its result is kept: others wait behind it."""

from __future__ import annotations

import json

import pytest
from tests.integration.messaging.scene import Scene

from trunkline_common.db import transaction
from trunkline_common.last_byte import Answer
from trunkline_messaging.gateways.meta import classify
from trunkline_messaging.intents import Draft, Terms, commit_intents
from trunkline_messaging.records import Recorded, record
from trunkline_messaging.store.channels import due_channels

TERMS = Terms(owner="w1", lease=30.0, deadline=10.0)


def refusal(words: str) -> Answer:
    body = {"error": {"code": 131026, "message": words, "error_data": {"details": words}}}
    return Answer("answered", 400, {}, json.dumps(body).encode())


def success(provider_id: str) -> Answer:
    return Answer("answered", 200, {}, json.dumps({"messages": [{"id": provider_id}]}).encode())


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(refusal("no \x00 such"), "failed", id="NUL in a reason"),
        pytest.param(refusal("half \ud83d of two"), "failed", id="half a pair in a reason"),
        pytest.param(success("wamid.\x00"), "in_doubt", id="NUL in an id"),
        pytest.param(success("wamid.\udc00"), "in_doubt", id="half a pair in an id"),
        pytest.param(success("wamid." + "é" * 3000), "in_doubt", id="an id that no index takes"),
    ],
)
async def test_an_answer_of_any_letters_is_kept(scene: Scene, answer: Answer, state: str) -> None:
    await scene.run_messages(1)
    async with transaction(scene.database) as session:
        (channel,) = await due_channels(session)
    granted = await commit_intents(scene.database, channel, wanted=1, terms=TERMS, draft=Draft())
    result = classify(answer)
    await record(scene.database, [Recorded(m, channel, result) for m in granted.granted])
    assert await scene.states() == {state: 1}
