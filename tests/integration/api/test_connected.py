"""Agents that are rung on behalf of a call: a leg of its own, from TwiML to the read model."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.api.conftest import facts
from tests.integration.api.test_inbound_line import NUMBER, Town
from tests.integration.api.test_inbound_line import sandbox_url as sandbox_url  # noqa: PLC0414 - a fixture
from tests.integration.api.test_inbound_line import town as town  # noqa: PLC0414 - a fixture
from tests.integration.api.test_spoken import Exchange
from tests.integration.api.test_spoken import exchange as exchange  # noqa: PLC0414 - a fixture

from trunkline_common.db import Database
from trunkline_common.testing import eventually

PRESSES_2 = "+493023191002"
CALLER = "+12025591002"
TAKES, AWAY = "+493011100001", "+493011100003"  # agents: the sandbox's magic numbers


def connecting(agent: str) -> dict[str, Any]:
    return {
        "steps": [
            {
                "do": "gather",
                "prompt": [{"do": "say", "text": "Press 2 for an agent"}],
                "actions": {
                    "2": {
                        "do": "connect",
                        "to": agent,
                        "ring_timeout": 30,
                        "otherwise": "Nobody is there",
                    }
                },
            }
        ]
    }


async def ended(exchange: Exchange) -> tuple[str, list[dict[str, Any]]]:
    """The call's id once it is over, and what was said of its legs."""
    [accepted] = await exchange.witnessed("call_accepted")

    async def over() -> bool:
        said = await exchange.witnessed("callback")
        return any(e["sid"] == accepted["sid"] and e["event"] == "completed" for e in said)

    await eventually(over, what="the call is over")
    legs = {entry["sid"] for entry in await exchange.witnessed("leg_opened")}
    moved = [e for e in await exchange.witnessed("call_status") if e["sid"] in legs]
    return str(accepted["sid"]), moved


@pytest.mark.parametrize("agent", [TAKES, AWAY], ids=["takes", "away"])
async def test_a_call_that_asks_for_an_agent_opens_a_leg(
    exchange: Exchange, database: Database, agent: str
) -> None:
    run = await exchange.tenant.draft(exchange.channel, {"all": True}, content=connecting(agent))
    exchange.run = run.json()["id"]
    await exchange.call(PRESSES_2)
    sid, moved = await ended(exchange)
    last = "completed" if agent == TAKES else "no-answer"
    assert {entry["to"] for entry in moved} == {agent}
    assert moved[-1]["status"] == last
    told = [f["payload"] for f in await facts(database, exchange.tenant.id, "call.leg_reported.v1")]
    assert {one["provider_call_id"] for one in told} == {sid}
    assert told[-1]["status"] == last
    assert ("in-progress" in [one["status"] for one in told]) == (agent == TAKES)
    asked = [
        e["DialCallStatus"]
        for e in await exchange.witnessed("twiml_fetch")
        if "DialCallStatus" in e
    ]
    assert asked == [last]
    heard = [entry["text"] for entry in await exchange.witnessed("spoken")]
    assert ("Nobody is there" in heard[-1]) == (agent == AWAY)


async def test_a_caller_who_is_connected_is_followed_on_both_legs(town: Town) -> None:
    where = f"/v1/channels/{town.channel_id}/inbound"
    spoken = await town.tenant.http.put(where, json=connecting(TAKES), headers=town.tenant.headers)
    assert spoken.is_success, spoken.text
    asked = {
        "account_sid": town.account,
        "from": CALLER,
        "to": NUMBER,
        "voice_url": town.voice_url,
        "status_callback": f"{town.voice_url}/status",
    }
    async with town.http.post(f"{town.sandbox}/sandbox/twilio/inbound", json=asked) as answer:
        sid = str((await answer.json())["sid"])
    await eventually(lambda: town.is_over(sid), 20)
    await town.tell_outbound()
    await town.tell_api()
    calls = (await town.tenant.get("/v1/calls")).json()["data"]
    by_direction = {call["direction"]: call for call in calls}
    assert len(calls) == 2
    inbound, leg = by_direction["inbound"], by_direction["outbound"]
    assert (leg["parent_id"], leg["to_number"], leg["outcome"]) == (
        inbound["id"],
        TAKES,
        "answered",
    )
    assert leg["duration"] <= inbound["duration"]
    pressed = (await town.tenant.get(f"/v1/calls/{inbound['id']}")).json()["responses"]
    assert [(one["digits"], one["meaning"]) for one in pressed] == [("2", "connect")]
