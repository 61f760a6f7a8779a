"""Read models: whatever order facts come in, the same row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from tests.integration.api.conftest import Tenant

from trunkline_api.consumer import HANDLERS
from trunkline_common import topology
from trunkline_common.contracts import Envelope, Event, messaging, outbound
from trunkline_common.contracts.recordings import RecordingFailed, RecordingStored
from trunkline_common.db import Database, transaction
from trunkline_common.ids import ATTEMPT, CALL, MESSAGE, RECORDING, new_event_id, new_id
from trunkline_common.outcomes import Refuse

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
TABLE = HANDLERS[topology.API_PROJECTIONS]


async def hear(database: Database, business_id: str, *events: Event) -> None:
    for event in events:
        envelope: Envelope[Any] = Envelope(
            id=new_event_id(),
            source="/trunkline/tests",
            event=event,
            business_id=business_id,
            occurred_at=AT,
            correlation_id="c-1",
        )
        async with transaction(database) as session:
            await TABLE[type(event)](session, envelope)


async def run_of(tenant: Tenant) -> str:
    channel = await tenant.voice_channel()
    return str((await tenant.draft(channel, {"all": True})).json()["id"])


def test_every_queue_has_its_table() -> None:
    assert set(HANDLERS) == set(topology.queues_of("api"))
    for queue, table in HANDLERS.items():
        assert set(table) == set(queue.hears)


def facts_of_a_call(run_id: str, *, unknown: bool) -> Sequence[Event]:
    about: dict[str, Any] = {
        "call_id": new_id(CALL),
        "attempt_id": new_id(ATTEMPT),
        "run_id": run_id,
        "seq": 1,
    }
    facts = [
        outbound.CallDialled(
            **about, contact_id="con_1", channel_id="chn_1", account="AC1", provider_call_id="CA1",
            from_number="+15005550006", to_number="+491711234567", dialled_at=AT,
        ),
        outbound.CallAnswered(**about, answered_at=AT),
        outbound.CallEnded(
            **about, contact_id="con_1", provider_call_id="CA1", outcome="answered", duration=9,
            answered_by="human", ended_at=AT,
        ),
    ]  # fmt: skip
    return [*facts, outbound.CallUnknown(**about, reason="lost")] if unknown else facts


@pytest.mark.parametrize("unknown", [False, True])
async def test_a_call_is_the_same_in_any_order(
    tenant: Tenant, database: Database, unknown: bool
) -> None:
    run_id = await run_of(tenant)
    rows = set()
    for order in permutations(range(4 if unknown else 3)):
        events = facts_of_a_call(run_id, unknown=unknown)
        await hear(database, tenant.id, *[events[n] for n in order], events[order[0]])
        call = (await tenant.get(f"/v1/calls/{events[0].subject}")).json()
        own = {"id", "attempt_id", "created_at"}
        rows.add(str({name: value for name, value in call.items() if name not in own}))
    assert len(rows) == 1
    row = rows.pop()
    assert "'state': 'ended'" in row
    assert "'to_number': '+491711234567'" in row


async def test_a_message_is_the_same_in_any_order(tenant: Tenant, database: Database) -> None:
    rows = set()
    for order in permutations(range(4)):
        about: dict[str, Any] = {
            "message_id": new_id(MESSAGE),
            "attempt_id": "att_1",
            "channel_id": "chn_1",
        }
        events: list[Event] = [
            messaging.MessageAccepted(**about, provider_message_id="wamid", to="+49", text="Hi"),
            messaging.MessageUnknown(**about, reason="lost"),
            messaging.MessageDelivered(**about),
            messaging.MessageSent(**about),
        ]
        await hear(database, tenant.id, *[events[n] for n in order])
        message = (await tenant.get(f"/v1/messages/{about['message_id']}")).json()
        rows.add((message["state"], message["text"], message["provider_message_id"]))
    assert rows == {("delivered", "Hi", "wamid")}


async def test_a_run_shows_its_newest_counts(tenant: Tenant, database: Database) -> None:
    run_id = await run_of(tenant)
    about: dict[str, Any] = {"run_id": run_id, "total": 4}
    events: list[Event] = [
        outbound.RunStarted(run_id=run_id, total=4, rejects=1),
        outbound.RunProgressed(**about, version=1, states={"queued": 4}, outcomes={}),
        outbound.RunProgressed(
            **about, version=2, states={"done": 2, "queued": 2}, outcomes={"busy": 2}
        ),
        outbound.RunCompleted(**about, version=3, states={"done": 4}, outcomes={"answered": 4}),
    ]
    await hear(database, tenant.id, events[2], events[1], events[0])
    run = (await tenant.get(f"/v1/runs/{run_id}")).json()
    assert (run["state"], run["states"], run["progress"]) == (
        "running",
        {"done": 2, "queued": 2},
        0.5,
    )
    await hear(database, tenant.id, events[3], events[2], events[0])
    run = (await tenant.get(f"/v1/runs/{run_id}")).json()
    assert (run["state"], run["states"], run["progress"]) == ("completed", {"done": 4}, 1.0)
    assert (run["rejects"], run["outcomes"]) == (1, {"answered": 4})
    assert run["started_at"] == run["ended_at"] == "2026-11-23T10:00:00Z"


async def test_a_rejected_run_says_why(tenant: Tenant, database: Database) -> None:
    run_id = await run_of(tenant)
    await hear(database, tenant.id, outbound.RunRejected(run_id=run_id, reason="no such channel"))
    run = (await tenant.get(f"/v1/runs/{run_id}")).json()
    assert (run["state"], run["reason"]) == ("rejected", "no such channel")


@pytest.mark.parametrize("late_first", [False, True])
async def test_a_late_fact_corrects_an_unknown_turn(
    tenant: Tenant, database: Database, late_first: bool
) -> None:
    run_id = await run_of(tenant)
    about: dict[str, Any] = {"run_id": run_id, "seq": 1, "contact_id": "con_1"}
    events: list[Event] = [
        outbound.JobEnded(**about, state="unknown", reason="in doubt"),
        outbound.JobEnded(**about, state="done", outcome="answered", reason="answered"),
    ]
    await hear(database, tenant.id, *(reversed(events) if late_first else events))
    [turn] = (await tenant.get(f"/v1/runs/{run_id}/contacts")).json()["data"]
    assert (turn["state"], turn["outcome"]) == ("done", "answered")


@pytest.mark.parametrize("failed_first", [False, True])
async def test_a_call_has_its_recording(
    tenant: Tenant, database: Database, failed_first: bool
) -> None:
    call = facts_of_a_call(await run_of(tenant), unknown=False)[0]
    assert isinstance(call, outbound.CallDialled)
    about: dict[str, Any] = {
        "recording_id": new_id(RECORDING), "provider_recording_id": "RE1",
        "provider_call_id": "CA1", "attempt_id": call.attempt_id,
    }  # fmt: skip
    events: list[Event] = [
        RecordingStored(
            **about, storage_key="k", size=3, sha256="s", content_type="audio/wav", duration=2
        ),
        RecordingFailed(**about, reason="gone"),
    ]
    await hear(database, tenant.id, *(reversed(events) if failed_first else events), call)
    [recording] = (await tenant.get(f"/v1/calls/{call.call_id}")).json()["recordings"]
    assert (recording["state"], recording["size"]) == ("stored", 3)


async def test_facts_about_anothers_things_change_nothing(
    tenant: Tenant, other: Tenant, database: Database
) -> None:
    run_id = await run_of(tenant)
    with pytest.raises(Refuse):
        await hear(database, other.id, outbound.RunStarted(run_id=run_id, total=1, rejects=0))
    dialled, *_, ended = facts_of_a_call(run_id, unknown=False)
    await hear(database, tenant.id, dialled)
    with pytest.raises(Refuse):
        await hear(database, other.id, ended)
    assert (await tenant.get(f"/v1/calls/{dialled.subject}")).json()["state"] == "dialled"
