"""A suppression reaches a message that was handed over before it, as long as it has not left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.integration.messaging.scene import Scene, sending

from trunkline_common.contracts.suppressions import ContactSuppressed, ContactUnsuppressed
from trunkline_common.db import transaction
from trunkline_common.ids import BUSINESS, RUN, SUPPRESSION, new_id
from trunkline_common.testing import facts
from trunkline_messaging.intents import Draft, Intents, Terms, commit_intents
from trunkline_messaging.store import suppressions
from trunkline_messaging.store.channels import due_channels

SECOND = "+1202555000002"


def suppressed(kind: str, value: str, **more: Any) -> ContactSuppressed:
    given = {"suppression_id": new_id(SUPPRESSION), "kind": kind, "value": value}
    return ContactSuppressed.model_validate({**given, "version": 1, "source": "api"} | more)


def lifted(kind: str, value: str, *, version: int) -> ContactUnsuppressed:
    given = {"suppression_id": new_id(SUPPRESSION), "kind": kind, "value": value}
    return ContactUnsuppressed.model_validate({**given, "version": version})


async def intend(scene: Scene) -> Intents:
    async with transaction(scene.database) as session:
        due = await due_channels(session)
    terms = Terms(owner="w1", lease=30.0, deadline=10.0)
    if not due:
        return Intents()
    return await commit_intents(scene.database, due[0], wanted=50, terms=terms, draft=Draft())


async def written_to(scene: Scene) -> list[str]:
    return sorted(message.address for message in (await intend(scene)).granted)


async def test_who_is_suppressed_after_the_hand_over_is_not_written_to(scene: Scene) -> None:
    await scene.open_channel()
    await scene.run_messages(3)
    await scene.hear(suppressed("address", SECOND))
    async with sending(scene):
        await facts.eventually(lambda: _all_over(scene))
    assert await scene.states() == {"accepted": 2, "cancelled": 1}
    assert SECOND[1:] not in str([entry.get("to") for entry in await scene.accepted()])
    said = await scene.rows(
        "SELECT CAST(payload AS jsonb) ->> 'reason' FROM outbox WHERE name = 'message.cancelled.v1'"
    )
    assert said == [("suppressed_address",)]


async def _all_over(scene: Scene) -> bool:
    return set(await scene.states()) == {"accepted", "cancelled"}


@pytest.mark.parametrize(
    ("kind", "value", "more", "left"),
    [
        ("prefix", "+1202", {}, 0),
        ("prefix", "+49", {}, 3),
        ("address", SECOND, {"channel": "whatsapp"}, 2),
        ("address", SECOND, {"channel": "voice"}, 3),
        ("address", SECOND, {"run_id": "another"}, 3),
    ],
)
async def test_it_stops_whom_it_fits(
    scene: Scene, kind: str, value: str, more: dict[str, str], left: int
) -> None:
    await scene.open_channel()
    await scene.run_messages(3)
    given = {"run_id": new_id(RUN)} if more.get("run_id") else more
    await scene.hear(suppressed(kind, value, **given))
    assert len(await written_to(scene)) == left


async def test_one_of_this_run_or_this_contact_counts(scene: Scene) -> None:
    await scene.open_channel()
    await scene.run_messages(3)
    [(contact,)] = await scene.rows("SELECT contact_id FROM messages WHERE seq = 3")
    await scene.hear(suppressed("address", SECOND, run_id=scene.run_id))
    await scene.hear(suppressed("contact", contact))
    assert await written_to(scene) == ["+1202555000001"]


async def test_what_was_lifted_counts_no_more_and_what_comes_late_changes_nothing(
    scene: Scene,
) -> None:
    await scene.open_channel()
    await scene.run_messages(3)
    await scene.hear(suppressed("prefix", "+1202", version=1))
    await scene.hear(lifted("prefix", "+1202", version=3))
    await scene.hear(suppressed("prefix", "+1202", version=2))
    assert len(await written_to(scene)) == 3


async def test_anothers_suppressions_and_messages_outside_runs_are_left_alone(
    scene: Scene,
) -> None:
    await scene.open_channel()
    await scene.run_messages(1)
    await scene.hear(suppressed("prefix", "+1"), business_id=new_id(BUSINESS))
    assert len(await written_to(scene)) == 1
    await scene.hear(suppressed("prefix", "+1"))
    await scene.request()
    assert len(await written_to(scene)) == 1


async def test_an_opt_out_that_commits_first_wins(scene: Scene) -> None:
    """The intent has begun before the commit, and still sees it."""
    await scene.open_channel()
    await scene.run_messages(3)
    async with asyncio.TaskGroup() as group, transaction(scene.database) as session:
        event = suppressed("address", SECOND)
        await suppressions.keep(session, event, business_id=scene.business_id, in_force=True)
        intent = group.create_task(written_to(scene))
        await facts.eventually(lambda: _waits(scene))
    assert SECOND not in intent.result()
    assert len(intent.result()) == 2


async def _waits(scene: Scene) -> bool:
    waiting = await scene.rows(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND pid IN ("
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
    )
    return waiting == [(1,)]
