"""Several processes of api: what is changed in one holds in the others at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import event
from tests.integration.api.attempts import Attempt
from tests.integration.api.conftest import AUTH_TOKEN, Tenant, new_tenant, parts_of
from tests.integration.api.test_callbacks import FORM

from trunkline_api.app import application
from trunkline_api.parts import Parts
from trunkline_api.remembered import Remembered
from trunkline_common.db import Database
from trunkline_common.loops import Stop
from trunkline_common.testing import eventually
from trunkline_common.testing.brokers import Broker

ROTATED = {"credentials": {"auth_token": "rotated"}}


@asynccontextmanager
async def process(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    """One process of api, as far as requests and hints go."""
    stop = Stop()
    transport = httpx.ASGITransport(application(parts), raise_app_exceptions=False)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(parts.siblings.keep_in_step(stop))
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
            try:
                yield client
            finally:
                stop.set()


@pytest.mark.broker
async def test_a_rotated_token_is_refused_by_every_process(
    database: Database, broker: Broker
) -> None:
    here, there = parts_of(database, broker.url), parts_of(database, broker.url)
    async with process(here) as one, process(there) as other:
        tenant = await new_tenant(one)
        channel = await tenant.voice_channel()
        path, headers = f"/v1/channels/{channel}", tenant.headers
        seen = await there.accounts.of(channel), time.monotonic()

        async def the_other_listens() -> bool:
            """A change is heard before the account would be read again by itself."""
            nonlocal seen
            await one.patch(path, json={"concurrent": 7}, headers=headers)
            held, began = seen
            account = await there.accounts.of(channel)
            if account is not held:
                seen = account, time.monotonic()
            return account is not held and time.monotonic() < began + 3

        await eventually(the_other_listens, within=20)
        attempt = Attempt(other, channel, "run_1")
        assert (await attempt.say("status", FORM)).status_code == 204
        held = await there.accounts.of(channel)
        began = time.monotonic()
        assert (await one.patch(path, json=ROTATED, headers=headers)).status_code == 200
        await eventually(lambda: forgotten(there, channel, held), within=4)
        assert time.monotonic() - began < 4  # not the five seconds after which it is read anyway
        assert (await attempt.say("status", FORM, auth_token=AUTH_TOKEN)).status_code == 403
        assert (await attempt.say("status", FORM, auth_token="rotated")).status_code == 204


async def forgotten(parts: Parts, channel: str, held: object) -> bool:
    return await parts.accounts.of(channel) is not held


async def test_a_broker_that_is_away_delays_no_change(parts: Parts) -> None:
    async with process(parts) as client:
        tenant = await new_tenant(client)
        channel = await tenant.voice_channel()
        attempt = Attempt(client, channel, "run_1")
        assert (await attempt.say("status", FORM)).status_code == 204
        began = time.monotonic()
        for _ in range(20):
            answer = await client.patch(
                f"/v1/channels/{channel}", json=ROTATED, headers=tenant.headers
            )
            assert answer.status_code == 200
        assert time.monotonic() - began < 3
        assert (await attempt.say("status", FORM)).status_code == 403


async def test_words_are_read_once_for_all_calls_of_a_run(
    tenant: Tenant, parts: Parts, database: Database
) -> None:
    await tenant.post("/v1/contacts", {"phone": "0171 1234567"})
    channel = await tenant.voice_channel()
    run = (await tenant.draft(channel, {"all": True})).json()["id"]
    account = await parts.accounts.of(channel)
    assert account is not None
    assert await parts.scripts.of(account, "run_of_nobody") is None
    assert await parts.scripts.of(replace(account, business_id="biz_other"), run) is None
    asked: list[str] = []

    def count(_c: object, _k: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    found = [await parts.scripts.of(account, run) for _ in range(5)]
    event.remove(database.engine.sync_engine, "before_cursor_execute", count)
    assert found[0] is not None
    assert (found[0].script, found[0].language) == ("Good day", "en-US")
    assert len(asked) == 1


class Reading:
    """Reads that are counted; `forget` names what is forgotten in the middle."""

    def __init__(self) -> None:
        self.count = 0
        self.known = Remembered[list[int]](seconds=60, most=2)
        self.forget: str | None = None

    async def of(self, key: str, *, past: list[int] | None = None) -> list[int]:
        value = await self.known.of(key, self._read, past=past)
        assert value is not None
        return value

    async def _read(self) -> list[int]:
        self.count += 1
        if self.forget:
            self.known.forget(self.forget)
        return [self.count]


async def test_what_is_remembered_is_bounded_and_can_be_forgotten() -> None:
    reading = Reading()
    first = await reading.of("a")
    assert await reading.of("a") is first
    assert await reading.of("a", past=first) == [2]
    reading.known.forget("a")
    assert await reading.of("a") == [3]
    await reading.of("b")
    await reading.of("c")  # the third of two: the oldest goes
    assert await reading.of("b") == [4]
    assert await reading.of("a") == [6]


async def test_what_changed_while_it_was_read_is_read_again() -> None:
    reading = Reading()
    reading.forget = "a"
    assert await reading.of("a") == [1]
    reading.forget = None
    assert await reading.of("a") == [2]
    assert await reading.of("a") == [2]
