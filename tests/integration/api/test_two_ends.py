"""Two final words on one call, from the provider through outbound to the pages of api."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.api.conftest import TWILIO_ACCOUNT, Tenant, facts
from tests.integration.api.test_any_order import hear
from tests.integration.api.test_projections import TABLE
from tests.integration.outbound.scene import HANDLERS, Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_api import feeds
from trunkline_api.domain.states import OUTCOME_RANK
from trunkline_common.contracts import EVENTS, Event
from trunkline_common.db import Database, transaction
from trunkline_outbound.domain.states import CALL_RANK, MESSAGE_RANK
from trunkline_outbound.folding import fold_calls

SID = "CA" + "7" * 32


async def said_by(database: Database, business_id: str) -> Sequence[Event]:
    """A service's facts about a business, in the order of their transactions."""
    return [
        EVENTS[row["name"]].model_validate(row["payload"])
        for row in await facts(database, business_id)
    ]


async def called(tenant: Tenant, api: Database, outbound: Database) -> tuple[Scene, str, str]:
    """A run of one contact, started through the API, whose call is being made."""
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    channel = await tenant.voice_channel()
    run_id = str((await tenant.draft(channel, {"all": True})).json()["id"])
    assert (await tenant.post(f"/v1/runs/{run_id}/start")).status_code == 202
    while await feeds.feed_next(api):
        pass
    scene = Scene(outbound, tenant.id, channel, account=TWILIO_ACCOUNT)
    for event in await said_by(api, tenant.id):
        if type(event) in HANDLERS:
            await scene.hear(event)
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    return scene, run_id, intents.granted[0].attempt_id


@pytest.mark.parametrize("backwards", [False, True], ids=["as_said", "backwards"])
@pytest.mark.parametrize(
    "statuses", list(permutations(["busy", "completed", "no-answer"])), ids="-".join
)
async def test_final_statuses_in_any_order_give_one_page(
    tenant: Tenant,
    api_database: Database,
    outbound_database: Database,
    statuses: tuple[str, ...],
    backwards: bool,
) -> None:
    scene, run_id, attempt_id = await called(tenant, api_database, outbound_database)
    for status in statuses:
        more: dict[str, Any] = {"duration": 12} if status == "completed" else {}
        await scene.report(attempt_id, SID, status, **more)
        await fold_calls(outbound_database, batch=10)
    said = [(event, 0) for event in await said_by(outbound_database, tenant.id)]
    heard = [one for one in said if type(one[0]) in TABLE]
    await hear(api_database, tenant.id, list(reversed(heard)) if backwards else heard)

    [call] = (await tenant.get(f"/v1/runs/{run_id}/calls")).json()["data"]
    assert (call["state"], call["outcome"], call["duration"]) == ("ended", "answered", 12)
    [turn] = (await tenant.get(f"/v1/runs/{run_id}/contacts")).json()["data"]
    assert (turn["state"], turn["outcome"]) == ("done", "answered")
    async with transaction(outbound_database) as session:
        job = (await session.execute(text("SELECT state, outcome FROM jobs"))).one()
    assert tuple(job) == ("done", "answered")


def test_api_ranks_ends_as_outbound_does() -> None:
    """The two folds must choose alike, or a page contradicts the run's counts."""
    words = {"canceled": "canceled", "failed": "failed", "no-answer": "no_answer",
             "busy": "busy", "completed": "answered"}  # fmt: skip
    calls = sorted(words, key=lambda status: CALL_RANK[status])
    assert [words[status] for status in calls] == sorted(
        words.values(), key=OUTCOME_RANK.__getitem__
    )
    messages = [word for word in MESSAGE_RANK if word not in {"unknown", "cancelled"}]
    assert sorted(messages, key=MESSAGE_RANK.__getitem__) == sorted(
        messages, key=OUTCOME_RANK.__getitem__
    )
