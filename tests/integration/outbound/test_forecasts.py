"""Forecasts of runs that outbound has, and of drafts that api shows it in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.integration.outbound.scene import Scene, addresses, contacts_of
from tests.integration.outbound.test_claims import claim, intend
from tests.integration.outbound.test_suppressions import suppressed

from trunkline_common.contracts.api import BusinessCreated, RunAudienceAdded, RunAudienceClosed
from trunkline_common.contracts.limits import NumberCaps
from trunkline_common.contracts.runs import RunForecastRequested
from trunkline_common.db import transaction
from trunkline_common.http import create_app
from trunkline_common.ids import BUSINESS, RUN, new_id
from trunkline_common.outcomes import Refuse, TryLater
from trunkline_outbound.forecasting import count_next
from trunkline_outbound.routes_forecasts import forecast_router
from trunkline_outbound.store import limits

TOKEN = "internal-token-of-the-tests"


async def told(scene: Scene, *, batch: int = 1_000) -> list[dict[str, Any]]:
    """Every forecast that is said once all that is wanted has been counted."""
    while await count_next(scene.database, batch=batch):
        pass
    rows = await scene.rows(
        "SELECT CAST(payload AS jsonb) FROM outbox WHERE name = 'run.forecasted.v1'"
        " ORDER BY position"
    )
    return [row[0] for row in rows if isinstance(row[0], dict)]


@pytest.mark.parametrize("batch", [1, 2, 7, 1_000])
async def test_a_frozen_audience_is_told_whatever_the_pieces(scene: Scene, batch: int) -> None:
    numbers = addresses(7)
    await scene.hear(suppressed("address", numbers[1]))
    await scene.hear(suppressed("prefix", numbers[2]))
    run_id = new_id(RUN)
    await scene.hear(scene.requested(run_id, per_second=2.0))
    people = contacts_of([*numbers, numbers[0], "0171 1234567"])
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=1, contacts=tuple(people)))
    assert await told(scene) == []  # not frozen yet
    await scene.hear(RunAudienceClosed(run_id=run_id, chunks=1, contacts=9))
    [said] = await told(scene, batch=batch)
    assert (said["run_id"], said["asked"]) == (run_id, 0)
    forecast = said["forecast"]
    assert forecast["contacts"] == 8
    assert forecast["suppressed"] == {"address": 1, "prefix": 1}
    assert (forecast["invalid"], forecast["duplicates"], forecast["open"]) == (1, 1, 5)
    assert forecast["limits"] == [
        {"rule": "run_pace", "per_second": 2.0},
        {"rule": "account_pace", "per_second": 10_000.0},
    ]
    begins, ends = (datetime.fromisoformat(forecast[name]) for name in ("at", "ends_at"))
    assert ends - begins == timedelta(seconds=2)  # five at two a second, the first at once
    assert "retries" in forecast["not_foreseen"]


async def test_only_who_has_not_been_tried_is_foreseen(scene: Scene) -> None:
    run_id = await scene.start_run(5)
    await told(scene)
    await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=2)
    await scene.hear(RunForecastRequested(run_id=run_id, asked=3))
    said = (await told(scene))[-1]
    assert (said["asked"], said["forecast"]["contacts"], said["forecast"]["open"]) == (3, 3, 3)


async def test_who_asks_in_the_middle_has_it_counted_anew(scene: Scene) -> None:
    run_id = await scene.start_run(6)
    assert await count_next(scene.database, batch=4)
    await scene.hear(RunForecastRequested(run_id=run_id, asked=1))
    [said] = await told(scene, batch=4)
    assert (said["asked"], said["forecast"]["contacts"]) == (1, 6)


async def test_windows_are_those_of_the_contacts_and_of_the_start(scene: Scene) -> None:
    """A run for tomorrow is foreseen for tomorrow's start."""
    await scene.hear(
        BusinessCreated(
            business_id=scene.business_id,
            display_name="b",
            country="US",
            time_zone="America/New_York",
        )
    )
    run_id = new_id(RUN)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=3, minute=0, second=0)
    tomorrow = tomorrow.replace(microsecond=0)
    opens = {"opens": "09:00", "closes": "20:00"}
    event = scene.requested(run_id, window=opens).model_copy(update={"start_at": tomorrow})
    await scene.hear(event)
    people = [
        person.model_copy(update={"zone": zone})
        for person, zone in zip(
            contacts_of(addresses(3)), ("Asia/Tokyo", "Mars/Olympus", None), strict=True
        )
    ]
    await scene.hear(RunAudienceAdded(run_id=run_id, chunk=1, contacts=tuple(people)))
    await scene.hear(RunAudienceClosed(run_id=run_id, chunks=1, contacts=3))
    forecast = (await told(scene))[0]["forecast"]
    assert datetime.fromisoformat(forecast["at"]) == tomorrow
    # 3:00 UTC is noon in Tokyo and the night of Washington, whose number the third has.
    counted = {name: forecast[name] for name in ("open", "outside", "zone_unknown")}
    assert counted == {"open": 1, "outside": 1, "zone_unknown": 1}
    opening = datetime.fromisoformat(forecast["first_opens_at"])
    assert tomorrow < opening < tomorrow + timedelta(days=1)


async def ended_after_forty_seconds(scene: Scene, run_id: str, attempt_id: str) -> None:
    await scene.rows(
        "INSERT INTO calls (call_id, attempt_id, business_id, run_id, seq, account, provider_id,"
        " status, rank, dialled_at, ended_at) VALUES ('call_1', :a, :b, :r, 1, 'AC', 'CA',"
        " 'completed', 9, clock_timestamp() - interval '40 s', clock_timestamp()) RETURNING 1",
        a=attempt_id,
        b=scene.business_id,
        r=run_id,
    )


async def test_concurrency_counts_once_it_is_known_how_long_calls_take(scene: Scene) -> None:
    run_id = await scene.start_run(4, concurrent=2)
    assert (await told(scene))[0]["forecast"]["mean_call_seconds"] is None
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=1)
    await ended_after_forty_seconds(scene, run_id, intents.granted[0].attempt_id)
    await scene.hear(RunForecastRequested(run_id=run_id, asked=1))
    forecast = (await told(scene))[-1]["forecast"]
    assert forecast["mean_call_seconds"] == pytest.approx(40, abs=0.1)
    assert forecast["limits"][0]["rule"] == "concurrency"
    assert forecast["limits"][0]["per_second"] == pytest.approx(2 / 40, rel=0.01)
    async with transaction(scene.database) as session:
        await limits.set_business_cap(session, scene.business_id, 1)
    await scene.hear(RunForecastRequested(run_id=run_id, asked=2))
    bounded = (await told(scene))[-1]["forecast"]["limits"][0]
    assert bounded["per_second"] == pytest.approx(1 / 40, rel=0.01)


async def test_caps_of_the_numbers_are_foreseen(scene: Scene) -> None:
    scene.senders = ("+15005550006", "+15005550007")
    scene.per_number = NumberCaps(per_second=0.5, per_day=3)
    await scene.open_channel(version=2)
    run_id = await scene.start_run(9)
    forecast = (await told(scene))[0]["forecast"]
    assert [limit["rule"] for limit in forecast["limits"]][:2] == [
        "numbers_per_day",
        "numbers_pace",
    ]
    assert forecast["limits"][1]["per_second"] == 1.0
    begins, ends = (datetime.fromisoformat(forecast[name]) for name in ("at", "ends_at"))
    assert (ends.date() - begins.date()).days == 1, "six today, and three tomorrow (in UTC)"
    await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=1)
    await scene.rows("UPDATE sender_use SET used = 3 RETURNING 1")
    await scene.hear(RunForecastRequested(run_id=run_id, asked=1))
    later = (await told(scene))[-1]["forecast"]
    ends = datetime.fromisoformat(later["ends_at"])
    assert (ends.date() - datetime.fromisoformat(later["at"]).date()).days == 1
    await scene.rows(
        "INSERT INTO sender_use (business_id, account, number, day, used) SELECT"
        " business_id, account, unnest(CAST(:n AS text[])), day, 3 FROM sender_use"
        " ON CONFLICT DO NOTHING RETURNING 1",
        n=list(scene.senders),
    )
    await scene.hear(RunForecastRequested(run_id=run_id, asked=2))
    latest = (await told(scene))[-1]["forecast"]
    ends = datetime.fromisoformat(latest["ends_at"])
    assert (ends.date() - datetime.fromisoformat(latest["at"]).date()).days == 2


async def test_numbers_in_the_air_count_with_the_concurrency(scene: Scene) -> None:
    scene.per_number = NumberCaps(concurrent=1)
    await scene.open_channel(version=2)
    run_id = await scene.start_run(2)
    attempt = (await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=1)).granted[0]
    await ended_after_forty_seconds(scene, run_id, attempt.attempt_id)
    await scene.hear(RunForecastRequested(run_id=run_id, asked=1))
    limit = (await told(scene))[-1]["forecast"]["limits"][0]
    assert limit["rule"] == "concurrency"
    assert limit["per_second"] == pytest.approx(1 / 40, rel=0.01)


async def test_a_foreign_business_asks_in_vain(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    await told(scene)
    asked = RunForecastRequested(run_id=run_id, asked=1)
    with pytest.raises(Refuse):
        await scene.hear(asked, business_id=new_id(BUSINESS))
    with pytest.raises(TryLater):
        await scene.hear(RunForecastRequested(run_id=new_id(RUN), asked=1))
    assert len(await told(scene)) == 1


@pytest.fixture
async def http(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    """Outbound's internal routes, as api sees them."""
    app = create_app("outbound", [forecast_router(scene.database, TOKEN)], openapi_url=None)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://inside", headers=headers
    ) as client:
        yield client


async def test_a_draft_is_counted_in_pieces(scene: Scene, http: httpx.AsyncClient) -> None:
    numbers = addresses(6)
    await scene.hear(suppressed("prefix", numbers[0][:-3]))
    where = f"/internal/v1/businesses/{scene.business_id}/runs/run_draft/forecast"
    people = [{"contact_id": c.contact_id, "address": c.address} for c in contacts_of(numbers)]
    piece: dict[str, Any] = {
        "channel": "voice", "channel_id": scene.channel_id, "policy": {"per_second": 1.0},
    }  # fmt: skip
    first = (await http.post(where, json=piece | {"people": people[:4]})).json()
    assert first["forecast"] is None
    other = [{"contact_id": "con_1", "address": "+4915112345678"}]
    rest = {"people": people[4:] + other, "tally": first["tally"], "is_last": True}
    forecast = (await http.post(where, json=piece | rest)).json()["forecast"]
    assert (forecast["contacts"], forecast["suppressed"], forecast["open"]) == (7, {"prefix": 6}, 1)
    foreign = where.replace(scene.business_id, new_id(BUSINESS))
    theirs = (await http.post(foreign, json=piece | {"people": people, "is_last": True})).json()
    assert (theirs["forecast"]["suppressed"], theirs["forecast"]["open"]) == ({}, 6)
    assert [limit["rule"] for limit in theirs["forecast"]["limits"]] == ["run_pace"]
    assert (await http.post(where, json=piece | {"people": people * 200})).status_code == 422
    http.headers["Authorization"] = "Bearer wrong"
    assert (await http.post(where, json=piece | {"people": people})).status_code == 401
