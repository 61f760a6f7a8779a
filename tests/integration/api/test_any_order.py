"""A read model is a function of the set of facts: every order and repetition gives one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from tests.integration.api.conftest import Tenant
from tests.integration.api.test_projections import TABLE, run_of

from trunkline_common.contracts import Envelope, Event, messaging, outbound
from trunkline_common.contracts.recordings import RecordingFailed, RecordingStored
from trunkline_common.db import Database, transaction
from trunkline_common.ids import CALL, MESSAGE, RECORDING, new_event_id, new_id
from trunkline_common.outcomes import Refuse

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
Said = tuple[Event, int]  # a fact, and the minute at which it was said


async def hear(database: Database, business_id: str, said: Sequence[Said]) -> None:
    """All of it, in this order, and the first once more."""
    async with transaction(database) as session:
        for event, minute in [*said, said[0]]:
            envelope: Envelope[Any] = Envelope(
                id=new_event_id(),
                source="/trunkline/tests",
                event=event,
                business_id=business_id,
                occurred_at=AT + timedelta(minutes=minute),
                correlation_id="c-1",
            )
            await TABLE[type(event)](session, envelope)


async def the_one_row(
    tenant: Tenant,
    database: Database,
    facts: Callable[[str], Sequence[Said]],
    path: Callable[[str], str],
    kind: str,
) -> dict[str, Any]:
    """The row that every order gives; each order tells of a thing of its own."""
    rows: dict[str, dict[str, Any]] = {}
    for order in permutations(range(len(facts("")))):
        own = new_id(kind)
        said = facts(own)
        await hear(database, tenant.id, [said[place] for place in order])
        row = (await tenant.get(path(own))).json()
        shown = {name: value for name, value in row.items() if name not in ("id", "created_at")}
        rows[str(shown)] = shown
    assert len(rows) == 1, list(rows)
    return rows.popitem()[1]


def about_call(call_id: str, run_id: str) -> dict[str, Any]:
    return {"call_id": call_id, "attempt_id": "att_1", "run_id": run_id, "seq": 1}


def ended(about: dict[str, Any], outcome: str, minute: int, **more: Any) -> Said:
    values = {"duration": 0, "contact_id": "con_1", "provider_call_id": "CA1", **about, **more}
    return outbound.CallEnded.model_validate({**values, "outcome": outcome}), minute


async def test_a_call_shows_its_highest_end(tenant: Tenant, database: Database) -> None:
    def facts(call_id: str) -> Sequence[Said]:
        about = about_call(call_id, "run_1")
        return [
            (outbound.CallUnknown(**about, reason="no_final_callback"), 9),
            ended(about, "no_answer", 3),
            ended(about, "answered", 2, duration=31, answered_by="human"),
            ended(about, "busy", 4),
            (outbound.CallAnswered(**about, answered_at=AT), 1),
        ]

    row = await the_one_row(tenant, database, facts, lambda own: f"/v1/calls/{own}", CALL)
    shown = ("state", "outcome", "duration", "answered_by", "reason", "ended_at")
    assert [row[name] for name in shown] == [
        "ended", "answered", 31, "human", None, "2026-11-23T10:02:00Z",
    ]  # fmt: skip


async def test_of_two_equal_ends_the_later_shows(tenant: Tenant, database: Database) -> None:
    def facts(call_id: str) -> Sequence[Said]:
        about = about_call(call_id, "run_1")
        return [
            ended(about, "answered", 1, duration=5, provider_call_id="CA2"),
            ended(about, "answered", 2, duration=4),
            (outbound.CallUnknown(**about, reason="a"), 5),
            (outbound.CallUnknown(**about, reason="b"), 6),
        ]

    row = await the_one_row(tenant, database, facts, lambda own: f"/v1/calls/{own}", CALL)
    assert (row["duration"], row["provider_call_id"]) == (4, "CA1")


async def test_a_message_shows_its_highest_state(tenant: Tenant, database: Database) -> None:
    def facts(message_id: str) -> Sequence[Said]:
        about: dict[str, Any] = {
            "message_id": message_id, "attempt_id": "att_1", "channel_id": "chn_1",
        }  # fmt: skip
        return [
            (messaging.MessageFailed(**about, code="131026", reason="undeliverable"), 3),
            (messaging.MessageFailed(**about, code="131000", reason="elsewhere"), 2),
            (messaging.MessageRead(**about), 7),
            (messaging.MessageUnknown(**about, reason="lost"), 9),
            (messaging.MessageDelivered(**about), 5),
        ]

    row = await the_one_row(tenant, database, facts, lambda own: f"/v1/messages/{own}", MESSAGE)
    assert [row[name] for name in ("state", "code", "reason")] == ["read", None, None]
    assert row["failed_at"] == "2026-11-23T10:02:00Z"


def turn(run_id: str, state: str, outcome: str | None, minute: int) -> Said:
    values = {"run_id": run_id, "seq": 1, "contact_id": "con_1", "reason": f"{state} {outcome}"}
    return outbound.JobEnded.model_validate({**values, "state": state, "outcome": outcome}), minute


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ([("done", "delivered", 1), ("done", "read", 2)], ("done", "read")),
        ([("done", "read", 1), ("done", "delivered", 2)], ("done", "read")),
        ([("done", "failed", 1), ("done", "delivered", 2), ("unknown", None, 3)],
         ("done", "delivered")),
        ([("done", "busy", 1), ("done", "answered", 2)], ("done", "answered")),
        ([("exhausted", "no_answer", 3), ("done", "machine", 2)], ("done", "machine")),
        ([("unknown", None, 9), ("done", "canceled", 1), ("cancelled", None, 8)],
         ("done", "canceled")),
        ([("done", "accepted", 1), ("unknown", None, 2), ("done", "sent", 1)], ("done", "sent")),
        ([("done", "new to us", 1), ("skipped", None, 2)], ("done", "new to us")),
    ],
)  # fmt: skip
async def test_a_turn_shows_its_highest_end(
    tenant: Tenant,
    database: Database,
    ends: list[tuple[str, str | None, int]],
    shown: tuple[str, str],
) -> None:
    channel = await tenant.voice_channel()
    rows = set()
    for order in permutations(ends):
        run_id = str((await tenant.draft(channel, {"all": True})).json()["id"])
        await hear(database, tenant.id, [turn(run_id, *end) for end in order])
        [told] = (await tenant.get(f"/v1/runs/{run_id}/contacts")).json()["data"]
        rows.add((told["state"], told["outcome"], told["reason"], told["ended_at"]))
    assert len(rows) == 1, rows
    assert rows.pop()[:2] == shown


async def test_a_recording_is_the_same_in_any_order(tenant: Tenant, database: Database) -> None:
    def facts(recording_id: str) -> Sequence[Said]:
        about: dict[str, Any] = {
            "recording_id": recording_id, "provider_recording_id": "RE1",
            "provider_call_id": "CA1", "attempt_id": recording_id.replace("rec_", "att_"),
        }  # fmt: skip
        call = about_call(recording_id.replace("rec_", "call_"), "run_1")
        stored: dict[str, Any] = {**about, "sha256": "s", "content_type": "audio/wav"}
        return [
            (RecordingFailed(**about, reason="gone"), 1),
            (RecordingFailed(**about, reason="away"), 2),
            (RecordingStored(**stored, storage_key="a", size=3, duration=2), 3),
            (RecordingStored(**stored, storage_key="b", size=2, duration=1), 4),
            ended({**call, "attempt_id": about["attempt_id"]}, "answered", 1),
        ]

    rows = set()
    for order in permutations(range(5)):
        said = facts(new_id(RECORDING))
        await hear(database, tenant.id, [said[place] for place in order])
        call = (await tenant.get(f"/v1/calls/{said[4][0].subject}")).json()
        [told] = call["recordings"]
        rows.add((told["state"], told["size"], told["duration"], told["reason"]))
    assert rows == {("stored", 2, 1, None)}


async def test_a_run_is_the_same_in_any_order(tenant: Tenant, database: Database) -> None:
    channel = await tenant.voice_channel()

    def counts(done: int, version: int, minute: int, total: int = 4) -> Said:
        states = {"done": done, "queued": total - done}
        return outbound.RunProgressed(
            run_id=run_id, total=total, version=version, states=states, outcomes={}
        ), minute

    rows = set()
    for order in permutations(range(5)):
        run_id = str((await tenant.draft(channel, {"all": True})).json()["id"])
        final: dict[str, Any] = {"version": 3, "states": {"done": 5}, "outcomes": {"read": 5}}
        said = [
            (outbound.RunStarted(run_id=run_id, total=4, rejects=1), 1),
            counts(2, 2, 3),
            counts(1, 2, 4),  # two schedulers that counted under one version
            (outbound.RunCompleted(run_id=run_id, total=5, **final), 5),
            (outbound.RunRejected(run_id=run_id, reason="no such channel"), 6),
        ]
        await hear(database, tenant.id, [said[place] for place in order])
        run = (await tenant.get(f"/v1/runs/{run_id}")).json()
        names = ("state", "total", "rejects", "states", "outcomes", "started_at", "ended_at")
        rows.add(str([run[name] for name in names]))
    assert len(rows) == 1, rows
    assert rows.pop().startswith("['completed', 5, 1, {'done': 5}, {'read': 5}")


async def test_two_counts_of_one_version_show_the_same_whichever_came_first(
    tenant: Tenant, database: Database
) -> None:
    rows = set()
    for order in ((0, 1), (1, 0)):
        run_id = await run_of(tenant)
        about: dict[str, Any] = {"run_id": run_id, "total": 4, "version": 2, "outcomes": {}}
        said: list[Said] = [
            (outbound.RunProgressed(**about, states={"done": 2, "queued": 2}), 1),
            (outbound.RunProgressed(**about, states={"done": 1, "queued": 3}), 2),
        ]
        await hear(database, tenant.id, [said[place] for place in order])
        rows.add(str((await tenant.get(f"/v1/runs/{run_id}")).json()["states"]))
    assert len(rows) == 1, rows


async def test_a_turn_of_another_business_is_refused(
    tenant: Tenant, other: Tenant, database: Database
) -> None:
    run_id = await run_of(tenant)
    await hear(database, tenant.id, [turn(run_id, "done", "busy", 1)])
    with pytest.raises(Refuse):
        await hear(database, other.id, [turn(run_id, "done", "answered", 2)])
    [told] = (await tenant.get(f"/v1/runs/{run_id}/contacts")).json()["data"]
    assert told["outcome"] == "busy"
