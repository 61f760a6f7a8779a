"""The read model of calls without a run: the newest state shows, whatever order it is told in."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.api.conftest import TWILIO_ACCOUNT, Tenant
from tests.integration.api.test_inbound import NUMBER, SID
from tests.integration.api.test_projections import hear

from trunkline_common.contracts.inbound import (
    CallLegEnded,
    CallLegRinging,
    CallLegUnknown,
    CallPriced,
)
from trunkline_common.db import Database
from trunkline_common.ids import CALL, new_id


def leg(call_id: str, version: int, **more: Any) -> dict[str, Any]:
    return {
        "call_id": call_id,
        "version": version,
        "direction": "inbound",
        "channel_id": "chn_1",
        "account": TWILIO_ACCOUNT,
        "provider_call_id": SID,
        "from_number": "+12025550177",
        "to_number": NUMBER,
        "began_at": "2026-11-24T10:00:00Z",
        **more,
    }


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0, 1)], ids=str)
async def test_calls_of_both_directions_are_listed(
    tenant: Tenant, other: Tenant, database: Database, order: tuple[int, ...]
) -> None:
    call_id = new_id(CALL)
    ended = {"ended_at": "2026-11-24T10:01:00Z", "outcome": "answered", "duration": 31}
    told = [
        CallLegRinging(**leg(call_id, 1)),
        CallLegEnded(**leg(call_id, 2, **ended, code="200", parent_call_id="call_parent")),
        CallLegEnded(
            **leg(
                call_id,
                3,
                **ended,
                code="200",
                parent_call_id="call_parent",
                price="-0.01",
                price_unit="USD",
            )
        ),
    ]
    for at in order:
        await hear(database, tenant.id, told[at])
    [call] = (await tenant.get("/v1/calls", params={"direction": "inbound"})).json()["data"]
    assert call["id"] == call_id
    assert (call["direction"], call["state"], call["duration"]) == ("inbound", "ended", 31)
    assert (call["hangup_cause"], call["price"], call["price_unit"]) == ("200", "-0.01", "USD")
    assert (call["parent_id"], call["run_id"], call["attempt_id"]) == ("call_parent", None, None)
    assert (await tenant.get("/v1/calls", params={"direction": "outbound"})).json()["data"] == []
    assert len((await tenant.get("/v1/calls")).json()["data"]) == 1
    whole = (await tenant.get(f"/v1/calls/{call_id}")).json()
    assert whole["recordings"] == []
    assert (await other.get("/v1/calls")).json()["data"] == []
    assert (await other.get(f"/v1/calls/{call_id}")).status_code == 404


async def test_a_price_may_come_before_everything_else(tenant: Tenant, database: Database) -> None:
    call_id = new_id(CALL)
    await hear(database, tenant.id, CallPriced(call_id=call_id, price="-0.02", price_unit="USD"))
    call = (await tenant.get(f"/v1/calls/{call_id}")).json()
    assert (call["price"], call["direction"]) == ("-0.02", "outbound")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 0, 1)], ids=str)
async def test_a_call_that_nobody_can_explain_shows_so_until_its_end_is_heard(
    tenant: Tenant, database: Database, order: tuple[int, ...]
) -> None:
    call_id = new_id(CALL)
    answered = {"answered_at": "2026-11-24T10:00:05Z"}
    ended = {"ended_at": "2026-11-24T10:01:00Z", "outcome": "answered", "duration": 31}
    told = [
        CallLegRinging(**leg(call_id, 1)),
        CallLegUnknown(**leg(call_id, 2, **answered)),
        CallLegEnded(**leg(call_id, 3, **answered, **ended)),
    ]
    shown = []
    for at in order:
        await hear(database, tenant.id, told[at])
        call = (await tenant.get(f"/v1/calls/{call_id}")).json()
        shown.append((call["state"], call["reason"]))
    steps = (("ringing", None), ("unknown", "no_final_callback"), ("ended", None))
    assert shown == [steps[max(order[: n + 1])] for n in range(3)]
