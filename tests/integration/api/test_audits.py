"""Audits through the API: from a real outbound, for the channel's own business only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from tests.integration.api.conftest import TWILIO_ACCOUNT, Tenant
from tests.integration.api.served import served
from tests.integration.api.test_decisions import Listened, pages
from tests.integration.outbound.scene import Scene

from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.parts import Parts
from trunkline_common.db import Database
from trunkline_common.http import create_app
from trunkline_common.loops import Stop
from trunkline_outbound.routes_audits import audit_router

TOKEN = "internal-token-of-the-tests"
_REPORTS = """
INSERT INTO call_audits (business_id, account, day, channel_id, state, ours, theirs, inbound,
                         only_ours, only_theirs, audited_at)
SELECT :b, :a, day, :c, 'done', 7, 8, 1, 0, 2, now()
  FROM unnest(CAST('{2026-11-21, 2026-11-22, 2026-11-23}' AS date[])) AS day RETURNING day
"""
_DIFFERENCES = """
INSERT INTO audit_differences (business_id, account, day, provider_id, side, rule, direction,
                               status)
SELECT :b, :a, '2026-11-22', 'CA' || n, 'theirs', 'made_elsewhere', 'outbound-api', 'completed'
  FROM generate_series(1, 3) AS n RETURNING day
"""


@pytest.fixture
def outbound(outbound_database: Database) -> Listened:
    return Listened(
        create_app("outbound", [audit_router(outbound_database, TOKEN)], openapi_url=None)
    )


@pytest.fixture
async def parts(parts: Parts, outbound: Listened) -> AsyncIterator[Parts]:
    """Api that knows where outbound is."""
    async with served(outbound, Stop()) as url:
        yield replace(parts, outbound=OutboundLog(url, TOKEN))


@pytest.fixture
async def channel_id(tenant: Tenant, outbound_database: Database) -> str:
    """A channel whose account was audited for three days."""
    channel_id = await tenant.voice_channel()
    scene = Scene(outbound_database, business_id=tenant.id)
    whose = {"b": tenant.id, "a": TWILIO_ACCOUNT}
    await scene.rows(_REPORTS, **whose, c=channel_id)
    await scene.rows(_DIFFERENCES, **whose)
    return channel_id


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_reports_come_newest_first(tenant: Tenant, channel_id: str, limit: int) -> None:
    told = await pages(tenant, f"/v1/channels/{channel_id}/audits", limit)
    assert [each["day"] for each in told] == ["2026-11-23", "2026-11-22", "2026-11-21"]
    assert told[0]["only_theirs"] == 2
    assert told[0]["state"] == "done"


@pytest.mark.parametrize("limit", [1, 50])
async def test_a_day_tells_its_differences(tenant: Tenant, channel_id: str, limit: int) -> None:
    told = await pages(tenant, f"/v1/channels/{channel_id}/audits/2026-11-22", limit)
    assert [each["provider_id"] for each in told] == ["CA1", "CA2", "CA3"]
    assert {each["rule"] for each in told} == {"made_elsewhere"}


async def test_two_channels_of_one_account_tell_one_report(tenant: Tenant, channel_id: str) -> None:
    second = await tenant.voice_channel()
    first = await pages(tenant, f"/v1/channels/{channel_id}/audits", 50)
    assert await pages(tenant, f"/v1/channels/{second}/audits", 50) == first


@pytest.mark.parametrize("rest", ["", "/2026-11-22"])
async def test_a_foreign_channel_does_not_exist_and_outbound_is_not_asked(
    other: Tenant, channel_id: str, outbound: Listened, rest: str
) -> None:
    assert (await other.get(f"/v1/channels/{channel_id}/audits{rest}")).status_code == 404
    assert (await other.get(f"/v1/channels/chn_none/audits{rest}")).status_code == 404
    assert outbound.headers == []


async def test_naming_the_same_account_shows_nothing_of_the_other(
    other: Tenant, channel_id: str
) -> None:
    own = await other.voice_channel()  # the same account, as anybody may claim
    assert (await other.get(f"/v1/channels/{own}/audits")).json()["data"] == []
    assert (await other.get(f"/v1/channels/{own}/audits/2026-11-22")).status_code == 404


async def test_a_day_without_an_audit_is_not_there(tenant: Tenant, channel_id: str) -> None:
    where = f"/v1/channels/{channel_id}/audits"
    assert (await tenant.get(f"{where}/2020-01-01")).status_code == 404
    assert (await tenant.get(f"{where}/yesterday")).status_code == 422


@pytest.mark.parametrize("rest", ["", "/2026-11-22"])
async def test_a_cursor_that_is_none_is_refused(tenant: Tenant, channel_id: str, rest: str) -> None:
    answer = await tenant.get(f"/v1/channels/{channel_id}/audits{rest}", params={"cursor": "!"})
    assert answer.status_code == 422


async def test_without_the_internal_token_outbound_tells_nobody(
    tenant: Tenant, channel_id: str, outbound_database: Database
) -> None:
    app = create_app("outbound", [audit_router(outbound_database, TOKEN)], openapi_url=None)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    where = f"/internal/v1/businesses/{tenant.id}/accounts/{TWILIO_ACCOUNT}/audits"
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as http:
        assert (await http.get(where)).status_code == 401
        assert (await http.get(f"{where}/2026-11-22")).status_code == 401
