"""Keys that callers press are kept, as those of people who are called."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.integration.api.conftest import TWILIO_ACCOUNT, Tenant
from tests.integration.api.test_inbound import GATHER, SID, Line, line_of
from tests.integration.api.test_projections import hear

from trunkline_common.contracts.inbound import CallLegRinging
from trunkline_common.db import Database
from trunkline_common.ids import CALL, new_id


@pytest.fixture
async def line(tenant: Tenant) -> Line:
    return await line_of(tenant)


async def test_what_callers_press_is_kept_once_and_shown(
    line: Line, tenant: Tenant, other: Tenant, database: Database
) -> None:
    await line.say({"steps": [GATHER]})
    for _ in range(2):
        await line.ask("/digits?step=0&turn=0", Digits="")
        await line.ask("/digits?step=0&turn=1", Digits="1")
    where = f"/v1/channels/{line.channel_id}/inbound/responses"
    told = (await tenant.get(where)).json()["data"]
    assert [(one["turn"], one["digits"], one["meaning"]) for one in told] == [
        (1, "1", "connect"),
        (0, "", "no_input"),
    ]
    assert {(one["provider_call_id"], one["attempt_id"]) for one in told} == {(SID, None)}
    assert (await other.get(where)).status_code == 404
    call_id = new_id(CALL)
    ringing = CallLegRinging(
        call_id=call_id,
        version=1,
        direction="inbound",
        channel_id=line.channel_id,
        account=TWILIO_ACCOUNT,
        provider_call_id=SID,
        began_at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    await hear(database, tenant.id, ringing)
    shown = (await tenant.get(f"/v1/calls/{call_id}")).json()["responses"]
    assert [one["digits"] for one in shown] == ["", "1"]


async def test_what_no_call_can_bring_is_malformed(line: Line, tenant: Tenant) -> None:
    await line.say({"steps": [GATHER]})
    answer = await line.ask("/digits?step=0&turn=0", Digits="9; DROP")
    assert answer.status_code == 400
