"""Whose turns ended how: told to api page by page, of the business's own runs only."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.outbound.scene import Scene

from trunkline_common.http import create_app
from trunkline_common.ids import BUSINESS, new_id
from trunkline_outbound.routes_outcomes import outcome_router

TOKEN = "internal-token-of-the-tests"


@pytest.fixture
async def http(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    """Outbound's internal routes, as api sees them."""
    app = create_app("outbound", [outcome_router(scene.database, TOKEN)], openapi_url=None)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://inside", headers=headers
    ) as client:
        yield client


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_pages_of_any_size_make_the_whole(
    scene: Scene, http: httpx.AsyncClient, limit: int
) -> None:
    run_id = await scene.start_run(6)
    await scene.rows(
        "UPDATE jobs SET state = 'cancelled', reason = 'r' WHERE seq % 2 = 0 RETURNING 1"
    )
    await scene.rows(
        "UPDATE jobs SET state = 'exhausted', outcome = 'busy', reason = 'r' WHERE seq = 5"
        " RETURNING 1"
    )
    where = f"/internal/v1/businesses/{scene.business_id}/runs/{run_id}/outcomes"
    seen, after = [], 0
    while True:
        query = f"names=cancelled&names=busy&after={after}&limit={limit}"
        told = (await http.get(f"{where}?{query}")).json()
        assert told["state"] == "running"
        if not told["data"]:
            break
        seen += [one["seq"] for one in told["data"]]
        after = seen[-1]
    assert seen == [2, 4, 5, 6]
    foreign = where.replace(scene.business_id, new_id(BUSINESS))
    assert (await http.get(foreign, params={"names": "busy"})).status_code == 404
    http.headers["Authorization"] = "Bearer wrong"
    assert (await http.get(where, params={"names": "busy"})).status_code == 401
