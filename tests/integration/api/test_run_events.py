"""Runs as server-sent events: now, each change, the end; bounded, and closed when we leave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.pool import QueuePool
from tests.integration.api.conftest import Tenant, new_tenant
from tests.integration.api.served import served
from tests.integration.api.test_projections import TABLE, hear, run_of

from trunkline_api.app import application
from trunkline_api.parts import Parts
from trunkline_api.streams import Streams
from trunkline_common.contracts import Envelope, outbound
from trunkline_common.db import Database, transaction
from trunkline_common.ids import new_event_id
from trunkline_common.testing import eventually
from trunkline_common.testing.facts import within

PROMPTLY = 5.0


@pytest.fixture
def parts(parts: Parts) -> Parts:
    """Few places, so that a test can take them all."""
    return replace(parts, streams=Streams(at_most=3, per_key=2))


@pytest.fixture
async def http(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on a port: a stream needs a connection."""
    async with (
        served(application(parts), parts.stop) as url,
        httpx.AsyncClient(base_url=url, timeout=PROMPTLY, trust_env=False) as client,
    ):
        yield client


@dataclass
class Event:
    """One event as it came."""

    name: str
    id: str
    data: dict[str, Any]


class Watching:
    """An open stream, read event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Event | None:
        """The next event; None where the stream has ended."""
        return await within(PROMPTLY, self._next())

    async def _next(self) -> Event | None:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if not line and fields:
                return Event(fields["event"], fields["id"], json.loads(fields["data"]))
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
        return None

    async def states(self) -> list[str]:
        """States told until the end, in order."""
        told = []
        while event := await self.next():
            told.append(event.data["state"] if event.name == "run" else event.name)
        return told


@asynccontextmanager
async def watching(tenant: Tenant, run_id: str, seen: str | None = None) -> AsyncIterator[Watching]:
    headers = {**tenant.headers, **({"Last-Event-ID": seen} if seen else {})}
    async with tenant.http.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Watching(answer)


@pytest.fixture
async def run_id(tenant: Tenant, database: Database) -> str:
    """A run that outbound works on."""
    return await running(tenant, database)


async def running(tenant: Tenant, database: Database) -> str:
    run = await run_of(tenant)
    await hear(database, tenant.id, outbound.RunStarted(run_id=run, total=4, rejects=0))
    return run


def paused(run: str, step: int) -> outbound.RunPaused:
    return outbound.RunPaused(run_id=run, step=step, control_id=None, in_flight=0)


def progressed(run: str, version: int) -> outbound.RunProgressed:
    states = {"queued": max(4 - version, 0), "done": min(version, 4)}
    return outbound.RunProgressed(run_id=run, version=version, total=4, states=states, outcomes={})


def completed(run: str) -> outbound.RunCompleted:
    return outbound.RunCompleted(
        run_id=run, version=1_000_000, total=4, states={"done": 4}, outcomes={"answered": 4}
    )


async def test_a_watcher_sees_every_state_in_order_and_the_end(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    async with watching(tenant, run_id) as stream:
        first = await stream.next()
        assert first is not None
        assert (first.name, first.data["state"]) == ("run", "running")
        shown = (await tenant.get(f"/v1/runs/{run_id}")).json()
        assert shown.pop("waiting_for") == []  # asked for at each look, so no part of the stream
        assert first.data == shown | {
            "rate": first.data["rate"],
            "estimated_end": first.data["estimated_end"],
        }
        told, ids = first, [int(first.id)]
        for event, state in (
            (paused(run_id, 1), "paused"),
            (outbound.RunResumed(run_id=run_id, step=2), "running"),
            (progressed(run_id, 1), "running"),
            (completed(run_id), "completed"),
        ):
            await hear(database, tenant.id, event)
            news = await stream.next()
            assert news is not None
            told = news
            assert (told.name, told.data["state"]) == ("run", state)
            ids.append(int(told.id))
        assert told.data["progress"] == 1.0
        end = await stream.next()
        assert end == Event("end", told.id, {"state": "completed"})
        assert await stream.next() is None
    assert ids == sorted(set(ids))


async def test_changes_that_come_together_are_told_as_one(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    async with watching(tenant, run_id) as stream:
        await stream.next()
        for version in range(1, 41):
            await hear(database, tenant.id, progressed(run_id, version))
        await hear(database, tenant.id, completed(run_id))
        told = await stream.states()
    assert told[-2:] == ["completed", "end"]
    assert len(told) < 20


async def test_a_watcher_that_comes_again_hears_only_what_is_new(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    async with watching(tenant, run_id) as stream:
        seen = await stream.next()
    assert seen is not None
    async with watching(tenant, run_id, seen.id) as stream:
        await hear(database, tenant.id, paused(run_id, 1))
        told = await stream.next()
        assert told is not None
        assert told.data["state"] == "paused"
    for older in (seen.id, "0", "no number", "9" * 30):
        async with watching(tenant, run_id, older) as stream:
            again = await stream.next()
            assert again is not None
            assert (again.id, again.data["state"]) == (told.id, "paused")
    await hear(database, tenant.id, completed(run_id))
    async with watching(tenant, run_id, seen.id) as stream:
        last = await stream.next()
        assert last is not None
        assert await stream.states() == ["end"]
    async with watching(tenant, run_id, last.id) as stream:
        assert await stream.states() == ["end"]


async def test_nobody_watches_another_business(
    tenant: Tenant, other: Tenant, database: Database, run_id: str
) -> None:
    assert (await other.get(f"/v1/runs/{run_id}/events")).status_code == 404
    assert (await other.get("/v1/runs/run_none/events")).status_code == 404
    theirs = await running(other, database)
    async with watching(tenant, run_id) as ours, watching(other, theirs) as them:
        await ours.next()
        await them.next()
        await hear(database, tenant.id, paused(run_id, 1))
        told = await ours.next()
        assert told is not None
        assert told.data["id"] == run_id
        await hear(database, other.id, completed(theirs))
        assert await them.states() == ["completed", "end"]
        await hear(database, tenant.id, completed(run_id))
        assert await ours.states() == ["completed", "end"]


async def test_a_key_is_needed(http: httpx.AsyncClient, run_id: str) -> None:
    answer = await http.get(f"/v1/runs/{run_id}/events")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_places_are_bounded_and_free_again_when_a_watcher_goes(
    tenant: Tenant, other: Tenant, database: Database, parts: Parts, run_id: str
) -> None:
    theirs = await running(other, database)
    path = f"/v1/runs/{run_id}/events"
    third = await new_tenant(tenant.http)
    its = await running(third, database)
    async with AsyncExitStack() as open_streams:
        for _ in range(2):
            await open_streams.enter_async_context(watching(tenant, run_id))
        much = await tenant.get(path)
        assert (much.status_code, much.json()["type"][-16:]) == (429, "too-many-streams")
        await open_streams.enter_async_context(watching(other, theirs))
        full = await third.get(f"/v1/runs/{its}/events")
        assert (full.status_code, full.json()["type"][-12:]) == (503, "streams-full")
        assert {int(answer.headers["retry-after"]) for answer in (much, full)} == {5}

    async def free() -> bool:
        return parts.streams.taken == 0

    await eventually(free, what="every place is free")
    async with watching(tenant, run_id) as stream:
        assert await stream.next()


async def test_a_watcher_holds_no_connection_of_the_database(
    tenant: Tenant, database: Database, run_id: str
) -> None:
    async with watching(tenant, run_id) as stream:
        await stream.next()

        pool = database.engine.pool
        assert isinstance(pool, QueuePool)
        await eventually(lambda: pool.checkedout() == 0, what="no connection is held")


async def test_streams_end_when_the_process_leaves(
    tenant: Tenant, parts: Parts, run_id: str
) -> None:
    async with watching(tenant, run_id) as stream:
        await stream.next()
        parts.stop.set()
        assert await stream.next() is None  # without an end: come again


async def test_the_pace_is_told(tenant: Tenant, database: Database) -> None:
    run = await run_of(tenant)
    now = datetime.now(UTC)
    for seconds, event in (
        (-20, outbound.RunStarted(run_id=run, total=4, rejects=0)),
        (-10, progressed(run, 1)),
        (0, progressed(run, 2)),
    ):
        envelope: Envelope[Any] = Envelope(
            id=new_event_id(),
            source="/trunkline/tests",
            event=event,
            business_id=tenant.id,
            occurred_at=now + timedelta(seconds=seconds),
            correlation_id="c-1",
        )
        async with transaction(database) as session:
            await TABLE[type(event)](session, envelope)
    told = (await tenant.get(f"/v1/runs/{run}")).json()
    assert 0.05 < told["rate"] <= 0.1
    assert datetime.fromisoformat(told["estimated_end"]) > now + timedelta(seconds=15)
    await hear(database, tenant.id, completed(run))
    told = (await tenant.get(f"/v1/runs/{run}")).json()
    assert (told["rate"], told["estimated_end"]) == (None, None)
