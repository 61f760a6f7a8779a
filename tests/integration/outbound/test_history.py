"""A job's history: every attempt, deferral, skip and end is a line, in order and page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.http import create_app
from trunkline_common.ids import BUSINESS, new_id
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.horizons import Horizons, close_silent
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.routes import internal_router

TOKEN = "internal-token-of-the-tests"
FIRST, SECOND = "CA" + "7" * 32, "CA" + "8" * 32


@pytest.fixture
async def http(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    """Outbound's internal routes, as api sees them."""
    app = create_app("outbound", [internal_router(scene.database, TOKEN)], openapi_url=None)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://inside", headers=headers
    ) as client:
        yield client


def path(scene: Scene, run_id: str, rest: str) -> str:
    return f"/internal/v1/businesses/{scene.business_id}/runs/{run_id}/{rest}"


async def lines(http: httpx.AsyncClient, where: str, **query: Any) -> list[dict[str, Any]]:
    answer = await http.get(where, params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


async def sent(scene: Scene, run_id: str, *, worker: str = "w1") -> str:
    """One attempt of the run's only job."""
    intents = await intend(scene, await claim(scene, run_id, worker), worker)
    return intents.granted[0].attempt_id


async def busy_and_then_answered(scene: Scene) -> tuple[str, str, str]:
    run_id = await scene.start_run(1, max_attempts=2, retry_after=0)
    first = await sent(scene, run_id)
    await record(scene.database, [Recorded(first, run_id, Result("accepted", provider_id=FIRST))])
    await scene.report(first, FIRST, "busy")
    await fold_calls(scene.database, batch=100)
    second = await sent(scene, run_id)
    await record(scene.database, [Recorded(second, run_id, Result("in_doubt", reason="time-out"))])
    for status in ("ringing", "completed"):
        await scene.report(second, SECOND, status)
        await fold_calls(scene.database, batch=100)
    return run_id, first, second


async def test_a_job_tells_everything_in_order(scene: Scene, http: httpx.AsyncClient) -> None:
    run_id, first, second = await busy_and_then_answered(scene)
    told = await lines(http, path(scene, run_id, "jobs/1/history"))
    assert [(line["kind"], line["state"], line["rule"]) for line in told] == [
        ("attempt", "intent", None),
        ("result", "accepted", None),
        ("call", "busy", None),
        ("decision", "deferred", "call_busy"),
        ("attempt", "intent", None),
        ("decision", "in_doubt", "no_answer_from_provider"),
        ("call", "ringing", None),
        ("result", "accepted", "time-out"),
        ("call", "completed", None),
        ("end", "done", "call_answered"),
    ]
    assert [line["attempt_id"] for line in told if line["kind"] == "attempt"] == [first, second]
    results = [line for line in told if line["kind"] == "result"]
    assert [(line["provider_id"], line["said_by"]) for line in results] == [
        (FIRST, "answer"),
        (SECOND, "callback"),
    ]
    assert told[3]["not_before"] >= told[3]["at"][:19]
    assert told[-1]["detail"] == "answered"
    assert [line["at"] for line in told] == sorted(line["at"] for line in told)
    assert {line["seq"] for line in told} == {1}
    assert "+1" not in str(told)  # nobody's number


@pytest.mark.parametrize("size", [1, 3, 10, 11])
async def test_pages_of_any_size_make_the_whole(
    scene: Scene, http: httpx.AsyncClient, size: int
) -> None:
    run_id, _, _ = await busy_and_then_answered(scene)
    where = path(scene, run_id, "jobs/1/history")
    whole = await lines(http, where)
    pages: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": size}
    while page := await lines(http, where, **query):
        assert len(page) <= size
        pages += page
        query["after"] = page[-1]["position"]
    assert pages == whole
    assert len(whole) == 10


async def test_each_way_to_end_leaves_its_lines(scene: Scene, http: httpx.AsyncClient) -> None:
    run_id = await scene.start_run(5)
    await scene.rows(
        "UPDATE jobs SET address = '0501234567' WHERE run_id = :r AND seq = 1 RETURNING 1", r=run_id
    )
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1", wanted=4)
    refused, lost, silent = (a.attempt_id for a in intents.granted)
    await record(
        scene.database,
        [
            Recorded(refused, run_id, Result("rejected", code="21211", reason="invalid To")),
            Recorded(lost, run_id, Result("not_sent", reason="connect")),
            Recorded(silent, run_id, Result("in_doubt", reason="time-out")),
        ],
    )
    await scene.rows(
        "UPDATE attempts SET send_deadline = clock_timestamp() - interval '2 h' RETURNING 1"
    )
    await close_silent(scene.database, Horizons(in_doubt=3600))

    async def told(seq: int) -> list[tuple[str, str, str | None]]:
        found = await lines(http, path(scene, run_id, f"jobs/{seq}/history"))
        return [(line["kind"], line["state"], line["rule"]) for line in found]

    assert set(await told(1)) == {
        ("decision", "skipped", "address_not_e164"),
        ("end", "skipped", "address_not_e164"),
    }
    assert ("end", "done", "rejected_21211") in await told(2)
    assert ("result", "rejected", "invalid To") in await told(2)
    assert ("decision", "deferred", "not_sent") in await told(3)
    assert (await told(4))[-1][1] == "unknown"
    assert ("decision", "unknown", "no_proof_of_acceptance") in await told(4)
    assert await told(5) == []


async def test_a_runs_decisions_are_paged_newest_first(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    one, two = await scene.start_run(4), await scene.start_run(4)
    intents = await intend(scene, await claim(scene, one, "w1"), "w1")
    for attempt in intents.granted:
        await record(scene.database, [Recorded(attempt.attempt_id, one, Result("not_sent"))])
    where = path(scene, one, "decisions")
    first = await lines(http, where, limit=3)
    rest = await lines(http, where, limit=3, before=first[-1]["position"])
    assert [line["seq"] for line in (*first, *rest)] == [4, 3, 2, 1]
    assert {line["rule"] for line in first} == {"not_sent"}
    assert await lines(http, path(scene, two, "decisions")) == []


async def test_a_deferral_of_an_older_version_is_one_too(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    run_id = await scene.start_run(1)
    await scene.rows(
        "INSERT INTO decisions (business_id, run_id, seq, decision, rule)"
        " VALUES (:b, :r, 1, 'waiting', 'not_sent') RETURNING 1",
        b=scene.business_id,
        r=run_id,
    )
    for rest in ("decisions", "jobs/1/history"):
        assert [one["state"] for one in await lines(http, path(scene, run_id, rest))] == [
            "deferred"
        ]


async def test_another_business_sees_nothing(scene: Scene, http: httpx.AsyncClient) -> None:
    run_id, _, _ = await busy_and_then_answered(scene)
    other = Scene(scene.database, business_id=new_id(BUSINESS))
    assert (await http.get(path(other, run_id, "jobs/1/history"))).status_code == 404
    assert await lines(http, path(other, run_id, "decisions")) == []
    assert (await http.get(path(scene, run_id, "jobs/2/history"))).status_code == 404


@pytest.mark.parametrize("shown", [None, "Bearer wrong", "Bearer ", f"Basic {TOKEN}"])
async def test_only_whoever_has_the_token_is_answered(
    scene: Scene, http: httpx.AsyncClient, shown: str | None
) -> None:
    run_id = await scene.start_run(1)
    http.headers.pop("Authorization")
    headers = {"Authorization": shown} if shown else {}
    for rest in ("jobs/1/history", "decisions"):
        answer = await http.get(path(scene, run_id, rest), headers=headers)
        assert answer.status_code == 401


async def test_without_a_token_of_its_own_it_answers_nobody(scene: Scene) -> None:
    app = create_app("outbound", [internal_router(scene.database, None)], openapi_url=None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://inside"
    ) as client:
        answer = await client.get(
            path(scene, "run_1", "decisions"), headers={"Authorization": "Bearer None"}
        )
    assert answer.status_code == 503
    assert "OUTBOUND_INTERNAL_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("after", ["", "x", "1.2", "1.2.'; DROP", "9" * 30 + ".1.a"])
async def test_a_place_that_is_none_is_refused(
    scene: Scene, http: httpx.AsyncClient, after: str
) -> None:
    run_id = await scene.start_run(1)
    answer = await http.get(path(scene, run_id, "jobs/1/history"), params={"after": after})
    assert answer.status_code == 422
