"""The decision log through the API: from a real outbound, for the run's own business only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.integration.api.conftest import Tenant
from tests.integration.api.served import free_port, served
from tests.integration.api.test_projections import run_of
from tests.integration.outbound.scene import Scene, addresses, contacts_of
from tests.integration.outbound.test_claims import claim, intend

from trunkline_api.app import application
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.parts import Parts
from trunkline_common.contracts.api import RunAudienceAdded, RunAudienceClosed
from trunkline_common.db import Database
from trunkline_common.http import create_app
from trunkline_common.loops import Stop
from trunkline_common.testing.facts import within
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.routes import internal_router

TOKEN = "internal-token-of-the-tests"
SID = "CA" + "7" * 32


@dataclass
class Listened:
    """An application, and the headers of what it was asked."""

    app: ASGIApp
    headers: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.headers.append({k.decode(): v.decode() for k, v in scope["headers"]})
        await self.app(scope, receive, send)


@pytest.fixture
def outbound(outbound_database: Database) -> Listened:
    return Listened(
        create_app("outbound", [internal_router(outbound_database, TOKEN)], openapi_url=None)
    )


@pytest.fixture
async def parts(parts: Parts, outbound: Listened) -> AsyncIterator[Parts]:
    """Api that knows where outbound is."""
    async with served(outbound, Stop()) as url:
        yield replace(parts, outbound=OutboundLog(url, TOKEN))


@pytest.fixture
async def run_id(tenant: Tenant, outbound_database: Database) -> str:
    """A run of the tenant's whose first contact was called in vain and then reached."""
    run = await run_of(tenant)
    scene = Scene(outbound_database, business_id=tenant.id)
    await scene.open_channel()
    await scene.hear(scene.requested(run, max_attempts=2, retry_after=0))
    people = tuple(contacts_of(addresses(2)))
    await scene.hear(RunAudienceAdded(run_id=run, chunk=1, contacts=people))
    await scene.hear(RunAudienceClosed(run_id=run, chunks=1, contacts=2))
    first = await intend(scene, await claim(scene, run, "w1"), "w1", wanted=1)
    await scene.report(first.granted[0].attempt_id, SID, "busy")
    await fold_calls(outbound_database, batch=10)
    again = await intend(scene, await claim(scene, run, "w1"), "w1", wanted=1)
    unsent = Recorded(again.granted[0].attempt_id, run, Result("not_sent"))
    await record(outbound_database, [unsent])
    return run


async def pages(tenant: Tenant, path: str, limit: int) -> list[dict[str, Any]]:
    """Every line, page after page."""
    lines: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        answer = await tenant.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        lines += page["data"]
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            return lines
        query["cursor"] = page["next_cursor"]


@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_a_contact_tells_its_history(tenant: Tenant, run_id: str, limit: int) -> None:
    lines = await pages(tenant, f"/v1/runs/{run_id}/contacts/1/decisions", limit)
    assert [(line["kind"], line["state"], line["rule"]) for line in lines] == [
        ("attempt", "intent", None),
        ("call", "busy", None),
        ("result", "accepted", None),
        ("decision", "deferred", "call_busy"),
        ("attempt", "intent", None),
        ("result", "not_sent", None),
        ("decision", "deferred", "not_sent"),
    ]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert "position" not in lines[0]
    assert not any("number" in name for name in lines[0])


@pytest.mark.parametrize("limit", [1, 200])
async def test_a_run_tells_its_decisions_newest_first(
    tenant: Tenant, run_id: str, limit: int
) -> None:
    lines = await pages(tenant, f"/v1/runs/{run_id}/decisions", limit)
    assert [(line["seq"], line["state"], line["rule"]) for line in lines] == [
        (1, "deferred", "not_sent"),
        (1, "deferred", "call_busy"),
    ]
    assert all(line["not_before"] for line in lines)


@pytest.mark.parametrize("rest", ["contacts/1/decisions", "decisions"])
async def test_a_foreign_run_does_not_exist_and_outbound_is_not_asked(
    other: Tenant, run_id: str, outbound: Listened, rest: str
) -> None:
    assert (await other.get(f"/v1/runs/{run_id}/{rest}")).status_code == 404
    assert (await other.get(f"/v1/runs/run_none/{rest}")).status_code == 404
    assert outbound.headers == []


async def test_what_outbound_does_not_know_is_not_there(tenant: Tenant, run_id: str) -> None:
    answer = await tenant.get(f"/v1/runs/{run_id}/contacts/3/decisions")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:trunkline:problem:not-found")
    fresh = await run_of(tenant)
    assert (await tenant.get(f"/v1/runs/{fresh}/contacts/1/decisions")).status_code == 404
    assert (await tenant.get(f"/v1/runs/{fresh}/decisions")).json()["data"] == []


@pytest.mark.parametrize("rest", ["contacts/1/decisions", "decisions"])
@pytest.mark.parametrize("cursor", ["!", "eA", "MA"])
async def test_a_cursor_that_is_none_is_refused(
    tenant: Tenant, run_id: str, rest: str, cursor: str
) -> None:
    answer = await tenant.get(f"/v1/runs/{run_id}/{rest}", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "query/cursor"


async def test_outbound_hears_under_which_correlation(
    tenant: Tenant, run_id: str, outbound: Listened
) -> None:
    await tenant.http.get(
        f"/v1/runs/{run_id}/decisions", headers={**tenant.headers, "X-Correlation-Id": "story-7"}
    )
    assert outbound.headers[-1]["x-correlation-id"] == "story-7"


async def refused(parts: Parts, tenant: Tenant, run_id: str, log: OutboundLog) -> httpx.Response:
    """What a client is told where outbound answers like this."""
    app = application(replace(parts, outbound=log))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as http:
        return await http.get(f"/v1/runs/{run_id}/decisions", headers=tenant.headers)


@pytest.mark.parametrize("wrong", ["nowhere", "unset", "token"])
async def test_without_outbound_it_is_said_when_to_come_again(
    parts: Parts, tenant: Tenant, run_id: str, wrong: str
) -> None:
    log = {
        "nowhere": OutboundLog(f"http://127.0.0.1:{free_port()}", TOKEN),
        "unset": OutboundLog(),
        "token": OutboundLog(parts.outbound.url, "another token"),
    }[wrong]
    answer = await refused(parts, tenant, run_id, log)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("outbound-away")
    assert int(answer.headers["retry-after"]) > 0


async def test_an_outbound_that_hangs_is_not_waited_for(
    parts: Parts, tenant: Tenant, run_id: str
) -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    held: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        log = OutboundLog(f"http://127.0.0.1:{port}", TOKEN, seconds=0.3)
        answer = await within(5, refused(parts, tenant, run_id, log))
        for writer in held:
            writer.close()
    assert answer.status_code == 503
