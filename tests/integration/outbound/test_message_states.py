"""Every word of messaging after every other: what a run's message shows, walked pair by pair."""

from __future__ import annotations

import itertools

import pytest
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_messages import one_handed_over, said

from trunkline_common.contracts.messaging import MessageCancelled
from trunkline_common.db import Database
from trunkline_outbound.results import fold_messages

# The higher beats the lower. `cancelled` is said only of what was never sent, so it is an end.
WORDS = ("unknown", "accepted", "sent", "failed", "delivered", "read", "cancelled")
SHOWN: dict[str, tuple[str, str | None]] = {
    "unknown": ("unknown", None),
    "accepted": ("accepted", "accepted"),
    "sent": ("accepted", "sent"),
    "failed": ("done", "failed"),
    "delivered": ("done", "delivered"),
    "read": ("done", "read"),
    "cancelled": ("cancelled", None),
}


def after(first: str, second: str) -> tuple[str, str | None]:
    """What the job shows once both have been heard, in this order."""
    state, _ = SHOWN[first]
    stays = state == "cancelled" or (state in ("done", "unknown") and second == "cancelled")
    if stays or WORDS.index(second) <= WORDS.index(first):
        return SHOWN[first]
    new_state, outcome = SHOWN[second]
    return ("done" if state == "unknown" and new_state == "accepted" else new_state), outcome


@pytest.fixture
async def whatsapp(outbound_database: Database) -> Scene:
    stage = Scene(outbound_database, kind="whatsapp", account="1234567890", concurrent=50)
    await stage.open_channel()
    return stage


async def _hear(scene: Scene, word: str, run_id: str, attempt_id: str) -> None:
    if word == "cancelled":
        known = {"message_id": "msg_1", "attempt_id": attempt_id, "channel_id": "chn"}
        await scene.hear(MessageCancelled.model_validate(known | {"run_id": run_id, "seq": 1}))
    else:
        await scene.hear(said(word, attempt_id, run_id, 1))
    await fold_messages(scene.database, batch=10)


async def test_every_word_after_every_other(whatsapp: Scene) -> None:
    run_id, attempt_id = await one_handed_over(whatsapp)
    wrong = {}
    for pair in itertools.product(WORDS, WORDS):
        await whatsapp.rows("DELETE FROM message_events RETURNING 1")
        await whatsapp.rows("UPDATE jobs SET state = 'accepted', outcome = NULL RETURNING 1")
        for word in pair:
            await _hear(whatsapp, word, run_id, attempt_id)
        [shown] = await whatsapp.rows("SELECT state, outcome FROM jobs")
        if shown != after(*pair):
            wrong[pair] = shown
    assert not wrong
