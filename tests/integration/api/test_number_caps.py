"""What each number of a channel may do: set, told to outbound, kept by other changes, lifted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.integration.api.conftest import Tenant, facts

from trunkline_common.db import Database

CAPS = {"per_second": 1.0, "per_day": 200, "concurrent": 5}


async def change(tenant: Tenant, channel: str, **changes: Any) -> httpx.Response:
    path = f"/v1/channels/{channel}"
    return await tenant.http.patch(path, json=changes, headers=tenant.headers)


async def test_caps_of_numbers_are_set_told_kept_and_lifted(
    tenant: Tenant, database: Database
) -> None:
    channel = await tenant.voice_channel()
    assert (await change(tenant, channel, per_number=CAPS)).json()["per_number"] == CAPS
    kept = (await change(tenant, channel, senders=["+15005550006", "+15005550007"])).json()
    assert (kept["per_number"], len(kept["senders"])) == (CAPS, 2)
    assert (await change(tenant, channel, per_number=None)).json()["per_number"] is None
    said = await facts(database, tenant.id, "channel.changed.v1")
    assert [fact["payload"]["per_number"] for fact in said] == [None, CAPS, CAPS, None]


@pytest.mark.parametrize("wrong", [{"per_second": 0}, {"per_day": 0}, {"concurrent": 0}, {"x": 1}])
async def test_caps_that_mean_nothing_are_refused(tenant: Tenant, wrong: dict[str, int]) -> None:
    channel = await tenant.voice_channel()
    assert (await change(tenant, channel, per_number=wrong)).status_code == 422
