"""Calls as the provider makes them: who presses a key, who presses none, and a machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.api.conftest import (
    AUTH_TOKEN,
    SECRET,
    TWILIO_ACCOUNT,
    Tenant,
    new_tenant,
    parts_of,
)
from tests.integration.api.served import served
from tests.integration.api.test_content import contact
from tests.integration.api.test_responses import ASKING

from trunkline_api.app import application
from trunkline_common.callbacks import callback_token
from trunkline_common.db import Database
from trunkline_common.ids import ATTEMPT, new_id
from trunkline_common.loops import Stop
from trunkline_common.testing import eventually
from trunkline_sandbox.process import running_sandbox

PRESSES_9, PRESSES_1 = "+493023191009", "+493023191001"  # the last digit is what they press
SILENT, MACHINE = "+493023100001", "+493023100005"
SENDER = "+15005550006"
CONTENT: dict[str, Any] = {**ASKING, "voicemail": [{"do": "say", "text": "{{first_name}}!"}]}


@dataclass
class Exchange:
    """A business, its run, and the provider that calls for it."""

    tenant: Tenant
    channel: str
    run: str
    url: str
    sandbox: str

    async def call(self, to: str, **more: str) -> str:
        """Have somebody called; the attempt."""
        who, attempt = await contact(self.tenant, to, first_name="Ada"), new_id(ATTEMPT)
        token = callback_token(SECRET, self.channel, self.run, attempt)
        base = f"{self.url}/callbacks/twilio/{self.channel}/{self.run}/{attempt}/{token}"
        proof = callback_token(SECRET, attempt, who)
        script = f"{base}/twiml?cid=c-1&tp=&contact={who}&proof={proof}"
        form = {"To": to, "From": SENDER, "Url": script, "StatusCallback": f"{base}/status", **more}
        async with httpx.AsyncClient(auth=(TWILIO_ACCOUNT, AUTH_TOKEN)) as customer:
            calls = f"{self.sandbox}/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Calls.json"
            answer = await customer.post(calls, data=form)
        assert answer.status_code == 201, answer.text
        return attempt

    async def witnessed(self, kind: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient() as witness:
            answer = await witness.get(f"{self.sandbox}/sandbox/log?limit=100000")
        return [entry for entry in answer.json()["entries"] if entry["kind"] == kind]

    async def spoken(self) -> list[str]:
        """What was said in each document, once the call is over."""

        async def over() -> bool:
            return any(entry["final"] for entry in await self.witnessed("call_status"))

        await eventually(over, what="the call is over")
        return [entry["text"] for entry in await self.witnessed("spoken")]

    async def responses(self) -> list[tuple[str, str]]:
        answer = await self.tenant.get(f"/v1/runs/{self.run}/responses")
        return [(one["digits"], one["meaning"]) for one in answer.json()["data"]]


@pytest.fixture
async def exchange(database: Database, tmp_path: Path) -> AsyncIterator[Exchange]:
    parts = parts_of(database, "amqp://nobody@127.0.0.1:1/")
    app = application(parts)
    async with served(app, Stop()) as url:
        app.state.parts = replace(parts, public_url=url)
        with running_sandbox(tmp_path / "log.jsonl", speed=200) as sandbox:
            async with httpx.AsyncClient(base_url=url) as http:
                account = {"account_sid": TWILIO_ACCOUNT, "auth_token": AUTH_TOKEN}
                await http.post(
                    f"{sandbox}/sandbox/twilio/accounts", json={**account, "numbers": [SENDER]}
                )
                tenant = await new_tenant(http)
                channel = await tenant.voice_channel()
                run = await tenant.draft(channel, {"all": True}, content=CONTENT)
                yield Exchange(tenant, channel, run.json()["id"], url, sandbox)


async def test_whoever_presses_the_key_is_never_called_again(exchange: Exchange) -> None:
    attempt = await exchange.call(PRESSES_9)
    assert await exchange.spoken() == ["Ada?", "Never again"]
    assert await exchange.responses() == [("9", "opt_out")]
    [kept] = (await exchange.tenant.get("/v1/suppressions")).json()["data"]
    assert (kept["value"], kept["source"]) == (PRESSES_9, "voice_keypress")
    assert kept["suppressed_by"] == attempt


async def test_whoever_confirms_is_thanked_and_the_call_goes_on(exchange: Exchange) -> None:
    await exchange.call(PRESSES_1)
    assert await exchange.spoken() == ["Ada?", "Thank you Ada The end"]
    assert await exchange.responses() == [("1", "confirm")]


async def test_silence_is_told_and_the_call_goes_on(exchange: Exchange) -> None:
    await exchange.call(SILENT)
    assert (await exchange.spoken())[0] == "Ada?"
    assert await exchange.responses() == [("", "no_input")]


async def test_a_machine_keeps_a_message_and_is_asked_nothing(exchange: Exchange) -> None:
    await exchange.call(MACHINE, MachineDetection="DetectMessageEnd")
    assert await exchange.spoken() == ["Ada!"]
    [entry] = await exchange.witnessed("spoken")
    assert entry["answered_by"] == "machine_end_beep"
    assert await exchange.responses() == []
