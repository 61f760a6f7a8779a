"""Calling windows in the gate: outside of one a job waits for it, also when it is a retry."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.contracts.api import (
    AudienceContact,
    BusinessCreated,
    BusinessSettingsChanged,
    RunAudienceAdded,
    RunAudienceClosed,
    RunEdited,
    RunPolicy,
)
from trunkline_common.db import transaction
from trunkline_common.ids import CONTACT, RUN, new_id

TODAY = datetime.now(UTC).isoweekday()
CLOSED: dict[str, Any] = {"opens": "00:00", "closes": "23:59", "weekdays": [(TODAY + 2) % 7 + 1]}
OPEN: dict[str, Any] = {"opens": "00:00", "closes": "23:59:59", "weekdays": [1, 2, 3, 4, 5, 6, 7]}


async def start(scene: Scene, window: dict[str, Any], *zones: str | None) -> str:
    """A run with a window, and a contact in each of these zones."""
    run_id = new_id(RUN)
    await scene.hear(scene.requested(run_id, window=window))
    contacts = tuple(
        AudienceContact(contact_id=new_id(CONTACT), address=f"+87030123456{n}", zone=zone)
        for n, zone in enumerate(zones)
    )
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=1, contacts=contacts))
    await scene.hear(RunAudienceClosed(run_id=run_id, chunks=1, contacts=len(contacts)))
    return run_id


async def test_outside_its_window_a_job_waits_for_it(scene: Scene) -> None:
    run_id = await start(scene, CLOSED, "UTC", "Asia/Tokyo")
    held = await claim(scene, run_id, "w1")
    assert not (await intend(scene, held, "w1")).granted
    assert await scene.states(run_id) == {"waiting": 2}
    waits = await scene.rows(
        "SELECT due_at > now() + interval '1 hour', reason FROM jobs ORDER BY seq"
    )
    assert waits == [(True, "outside_window")] * 2
    logged = await scene.rows("SELECT decision, rule, not_before IS NOT NULL FROM decisions")
    assert logged == [("deferred", "outside_window", True)] * 2
    assert await scene.value("SELECT count(*) FROM attempts") == 0


async def test_a_window_that_was_kept_with_a_zone_is_on_the_wall_clock(scene: Scene) -> None:
    """Nothing can be compared with such a time: whatever was claimed of the run would fail."""
    run_id = await start(scene, {"opens": "00:00Z", "closes": "23:59:59.999999+02:00"}, "UTC")
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=1)
    assert len(intents.granted) == 1


async def test_a_retry_is_held_back_like_a_first_try(scene: Scene) -> None:
    run_id = await start(scene, CLOSED, "UTC")
    await scene.rows(
        "UPDATE jobs SET state = 'waiting', due_at = now() - interval '1 s', attempts = 1"
        " RETURNING 1"
    )
    await scene.rows("UPDATE cursors SET next_seq = total + 1 RETURNING 1")
    held = await claim(scene, run_id, "w1")
    assert held.kind == "due"
    assert not (await intend(scene, held, "w1")).granted
    assert await scene.states(run_id) == {"waiting": 1}


@pytest.mark.trap("invalid zone allowed")
async def test_an_unknown_zone_waits_and_the_businesss_zone_helps(scene: Scene) -> None:
    run_id = await start(scene, OPEN, None, "Mars/Olympus")
    held = await claim(scene, run_id, "w1")
    assert not (await intend(scene, held, "w1")).granted
    assert await scene.value("SELECT string_agg(DISTINCT reason, ',') FROM jobs") == "zone_unknown"
    await scene.hear(
        BusinessCreated(
            business_id=scene.business_id, display_name="b", country="DE", time_zone="UTC"
        )
    )
    await scene.rows("UPDATE jobs SET due_at = now() - interval '1 s' RETURNING 1")
    held = await claim(scene, run_id, "w1")
    assert [a.seq for a in (await intend(scene, held, "w1")).granted] == [1]


def settings(scene: Scene, version: int, *holidays: date) -> BusinessSettingsChanged:
    return BusinessSettingsChanged(
        business_id=scene.business_id,
        version=version,
        display_name="b",
        country="DE",
        time_zone="UTC",
        holidays=holidays,
    )


async def test_nobody_is_called_on_a_day_off_and_the_newest_settings_count(scene: Scene) -> None:
    today = datetime.now(UTC).date()
    days = [today + timedelta(days=n) for n in (-1, 0, 1)]
    await scene.hear(settings(scene, 2, *days))
    await scene.hear(settings(scene, 1))  # older, and late
    run_id = await start(scene, OPEN, "UTC")
    held = await claim(scene, run_id, "w1")
    assert not (await intend(scene, held, "w1")).granted
    await scene.hear(settings(scene, 3))
    await scene.rows("UPDATE jobs SET due_at = now() - interval '1 s' RETURNING 1")
    held = await claim(scene, run_id, "w1")
    assert len((await intend(scene, held, "w1")).granted) == 1


async def test_a_window_that_is_edited_counts_for_the_claim_in_hand(scene: Scene) -> None:
    run_id = await start(scene, OPEN, "UTC", "UTC")
    held = await claim(scene, run_id, "w1")
    intents = await intend(scene, held, "w1", wanted=1)
    assert len(intents.granted) == 1
    policy = RunPolicy.model_validate({"window": CLOSED})
    await scene.hear(RunEdited(run_id=run_id, control_id="c", policy=policy))
    assert not (await intend(scene, held, "w1")).granted
    async with transaction(scene.database) as session:
        reasons = (await session.execute(text("SELECT reason FROM jobs WHERE seq = 2"))).scalars()
        assert list(reasons) == ["outside_window"]


async def test_what_leaves_after_an_edit_leaves_by_it(scene: Scene) -> None:
    run_id = await start(scene, OPEN, "UTC", "UTC")
    held = await claim(scene, run_id, "w1")
    first = await intend(scene, held, "w1", wanted=1)
    policy = RunPolicy(record=False, time_limit=60)
    await scene.hear(RunEdited(run_id=run_id, control_id="c", policy=policy))
    second = await intend(scene, held, "w1", wanted=1)
    assert first.run is not None
    assert second.run is not None
    assert (first.run.policy.record, second.run.policy.record) == (True, False)
    assert second.run.policy.time_limit == 60
