"""A call to a number from end to end: the sandbox asks api, outbound folds, api lists it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp
import httpx
import pytest
from sqlalchemy import text
from tests.integration.api.conftest import AUTH_TOKEN, Tenant, facts, new_tenant
from tests.integration.api.served import free_port, served
from tests.integration.api.test_projections import TABLE, hear
from tests.integration.outbound.scene import Scene

from trunkline_api.app import application
from trunkline_api.parts import Parts
from trunkline_common.contracts import EVENTS
from trunkline_common.db import Database, transaction
from trunkline_common.loops import Stop
from trunkline_common.testing import facts as waiting
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.after_calls import ask_prices
from trunkline_outbound.audits import Auditor
from trunkline_outbound.gateways.twilio_calls import TwilioCalls
from trunkline_outbound.legs import fold_legs
from trunkline_sandbox.process import running_sandbox

NUMBER, CALLER = "+15005550006", "+12025550177"


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("inbound") / "witness.jsonl"
    with running_sandbox(log, speed=100, seed=5) as url:
        yield url


@dataclass
class Town:
    """A business with a number at the sandbox, and whoever may call it."""

    sandbox: str
    http: aiohttp.ClientSession
    tenant: Tenant
    channel_id: str
    account: str
    voice_url: str
    api: Database
    scene: Scene

    async def call(self, to: str = NUMBER) -> str:
        asked = {
            "account_sid": self.account,
            "from": CALLER,
            "to": to,
            "voice_url": self.voice_url,
            "status_callback": f"{self.voice_url}/status",
        }
        url = f"{self.sandbox}/sandbox/twilio/inbound"
        async with self.http.post(url, json=asked) as answer:
            assert answer.status == 201, await answer.text()
            return str((await answer.json())["sid"])

    async def is_over(self, sid: str) -> bool:
        async with self.http.get(f"{self.sandbox}/sandbox/log?limit=100000") as answer:
            entries = (await answer.json())["entries"]
        return any(e["kind"] == "callback" and e.get("sid") == sid for e in entries)

    async def tell_outbound(self) -> None:
        for fact in await facts(self.api, self.tenant.id, "call.inbound_reported.v1"):
            await self.scene.hear(EVENTS[fact["name"]].model_validate(fact["payload"]))
        await fold_legs(self.scene.database, batch=100)

    async def tell_api(self) -> None:
        for fact in await facts(self.scene.database, self.tenant.id):
            event = EVENTS[fact["name"]]
            if event in TABLE:
                await hear(self.api, self.tenant.id, event.model_validate(fact["payload"]))


@pytest.fixture
async def town(
    sandbox_url: str, parts: Parts, database: Database, outbound_database: Database
) -> AsyncIterator[Town]:
    port, account = free_port(), "AC" + uuid4().hex
    parts = replace(parts, public_url=f"http://127.0.0.1:{port}")
    limits = aiohttp.ClientTimeout(total=10)
    async with (
        served(application(parts), Stop(), port) as url,
        aiohttp.ClientSession(timeout=limits, trust_env=False) as http,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        registered = {"account_sid": account, "auth_token": AUTH_TOKEN, "numbers": [NUMBER]}
        where = f"{sandbox_url}/sandbox/twilio/accounts"
        async with http.post(where, json=registered) as answer:
            assert answer.status == 201, await answer.text()
        tenant = await new_tenant(client)
        asked = {
            "kind": "voice",
            "account": account,
            "senders": [NUMBER],
            "credentials": {"auth_token": AUTH_TOKEN},
        }
        channel_id = (await tenant.post("/v1/channels", asked)).json()["id"]
        told = (await tenant.get(f"/v1/channels/{channel_id}/inbound")).json()
        scene = Scene(outbound_database, tenant.id, channel_id, account=account)
        await scene.open_channel()
        yield Town(
            sandbox_url, http, tenant, channel_id, account, told["voice_url"], database, scene
        )


async def test_a_call_to_a_number_is_answered_followed_priced_listed_and_audited(
    town: Town,
) -> None:
    said = {"script": "Bakery, good day. We are open from seven.", "language": "en-GB"}
    where = f"/v1/channels/{town.channel_id}/inbound"
    assert (await town.tenant.http.put(where, json=said, headers=town.tenant.headers)).is_success
    sid = await town.call()
    await waiting.eventually(lambda: town.is_over(sid), 20)
    await town.tell_outbound()
    registry = TwilioCalls(town.http, town.sandbox)
    accounts = Accounts(town.scene.database, town.scene.sealer)
    await town.scene.rows("UPDATE legs SET price_at = clock_timestamp() RETURNING 1")
    await town.scene.open_channel(version=2)
    await reseal(town)
    assert await ask_prices(town.scene.database, registry, accounts) == 1
    await town.tell_api()
    [call] = (await town.tenant.get("/v1/calls", params={"direction": "inbound"})).json()["data"]
    assert (call["provider_call_id"], call["outcome"]) == (sid, "answered")
    assert (call["from_number"], call["to_number"]) == (CALLER, NUMBER)
    assert call["duration"] > 0
    assert call["price"].startswith("-0.0")
    auditor = Auditor(town.scene.database, registry, accounts)
    key = await auditor.reopen(town.channel_id, datetime.now(UTC).date())
    while await auditor.look(key):
        pass
    assert await town.scene.rows("SELECT theirs, inbound, only_theirs FROM call_audits") == [
        (1, 1, 0)
    ]


async def test_a_call_to_a_number_that_is_nobodys_is_turned_away(town: Town) -> None:
    sid = await town.call(to="+15005550999")
    await waiting.eventually(lambda: town.is_over(sid), 20)
    assert await facts(town.api, town.tenant.id, "call.inbound_reported.v1") == []
    async with transaction(town.api) as session:
        rows = await session.execute(text("SELECT provider_call_id FROM quarantined_calls"))
        assert list(rows.scalars()) == [sid]
    login = {"Authorization": aiohttp.encode_basic_auth(town.account, AUTH_TOKEN)}
    url = f"{town.sandbox}/2010-04-01/Accounts/{town.account}/Calls/{sid}.json"
    async with town.http.get(url, headers=login) as answer:
        told = await answer.json()
    assert (told["status"], told["direction"]) == ("no-answer", "inbound")


async def reseal(town: Town) -> None:
    """The scene seals a token of its own; the sandbox knows the tenant's."""
    key_id, sealed = town.scene.sealer.seal({"auth_token": AUTH_TOKEN}, town.channel_id)
    await town.scene.rows(
        "UPDATE channels SET key_id = :k, sealed = :s RETURNING 1", k=key_id, s=sealed
    )
