"""Messages leave once each, and whatever comes back has one meaning."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from sqlalchemy import text
from tests.integration.messaging.scene import Scene, sending

from trunkline_common.db import transaction
from trunkline_common.ids import BUSINESS, new_id
from trunkline_common.testing import eventually
from trunkline_messaging.horizons import close_doubtful, doubt_lost, fail_homeless
from trunkline_messaging.intents import Draft, Terms, commit_intents
from trunkline_messaging.store.channels import Channel, due_channels


async def test_each_message_leaves_once_and_says_so(scene: Scene) -> None:
    attempts = await scene.run_messages(60)
    message_id = await scene.request("+12025559999")
    async with sending(scene):
        await eventually(lambda: _all(scene, "accepted", 61))
    accepted = await scene.accepted()
    assert Counter(e["reference"] for e in accepted).most_common(1)[0][1] == 1
    assert {e["reference"] for e in accepted} >= set(attempts)
    assert len(accepted) == 61
    assert await scene.facts() == ["message.accepted.v1"] * 61
    rows = await scene.rows("SELECT run_id FROM messages WHERE message_id = :m", m=message_id)
    assert rows == [(None,)]
    assert await scene.open_sends() == 0


async def test_two_senders_share_the_work(scene: Scene) -> None:
    await scene.run_messages(120)
    async with sending(scene, owner="worker-1"), sending(scene, owner="worker-2"):
        await eventually(lambda: _all(scene, "accepted", 120))
    accepted = Counter(e["reference"] for e in await scene.accepted())
    assert len(accepted) == 120
    assert set(accepted.values()) == {1}


async def test_a_handover_that_comes_twice_is_one_message(scene: Scene) -> None:
    (attempt_id,) = await scene.run_messages(1)
    await scene.hand_over(1, attempt_id)
    assert await scene.states() == {"queued": 1}


async def test_a_refusal_ends_it_with_the_providers_code(scene: Scene) -> None:
    await scene.fault("reject", code=131026, times=1)
    await scene.request()
    async with sending(scene):
        await eventually(lambda: _all(scene, "failed", 1))
    assert await scene.rows("SELECT code FROM messages") == [("131026",)]
    assert await scene.facts() == ["message.failed.v1"]


async def test_a_limit_is_later_and_slows_the_whole_sender(scene: Scene) -> None:
    await scene.fault("rate_limit", retry_after=2, times=1)
    await scene.run_messages(1)
    async with sending(scene):
        await eventually(lambda: _all(scene, "waiting", 1))
        limited_at = time.monotonic()
        await scene.run_messages(1, first=1)  # has no limit of its own
        await eventually(lambda: _all(scene, "accepted", 1), within=15)
        assert time.monotonic() - limited_at >= 0.7  # what the sender was told, less the horizon
        await eventually(lambda: _all(scene, "accepted", 2), within=15)
    assert await scene.rows(
        "SELECT state, code FROM attempts ORDER BY number, state DESC LIMIT 1"
    ) == [("rejected", "130429")]
    assert len(await scene.accepted()) == 2


@pytest.mark.parametrize(
    "fault", ["accept_never_answer", "accept_then_reset", "error_after_accept"]
)
async def test_a_lost_answer_is_in_doubt_and_never_sent_again(scene: Scene, fault: str) -> None:
    await scene.fault(fault, times=1)
    (attempt_id,) = await scene.run_messages(1)
    async with sending(scene):
        await eventually(lambda: _all(scene, "in_doubt", 1))
        await scene.run_messages(1, first=1)  # others go on meanwhile
        await eventually(lambda: _all(scene, "accepted", 1))
    (first, _) = await scene.accepted()
    assert first["reference"] == attempt_id
    await scene.report("delivered", first["sid"], attempt_id)
    await scene.fold()
    assert await scene.states() == {"accepted": 2}
    assert (await scene.facts())[1:] == ["message.accepted.v1", "message.delivered.v1"]
    assert await scene.rows(
        "SELECT state, resolved_by FROM attempts WHERE attempt_id = :a", a=attempt_id
    ) == [("accepted", "status")]


async def test_a_server_error_before_acceptance_is_in_doubt_too(scene: Scene) -> None:
    await scene.fault("error_before_accept", times=1)
    await scene.request()
    async with sending(scene):
        await eventually(lambda: _all(scene, "in_doubt", 1))
    assert await scene.accepted() == []


async def test_bad_credentials_hold_the_channel_until_they_change(scene: Scene) -> None:
    await scene.open_channel(version=2, token="revoked")
    await scene.run_messages(30)
    async with sending(scene, concurrency=5):
        await eventually(lambda: _all(scene, "waiting", 1))
        tried = (await scene.rows("SELECT count(*) FROM attempts"))[0][0]
        assert tried <= 15  # not thirty: the channel is held, its messages wait
        assert await scene.accepted() == []
        await scene.open_channel(version=3)
        await eventually(lambda: _all(scene, "accepted", 30))
    assert len(await scene.accepted()) == 30
    assert await scene.rows("SELECT holds FROM channels") == [(0,)]


async def test_an_unreachable_provider_costs_nothing_but_time(scene: Scene) -> None:
    sandbox, scene.sandbox = scene.sandbox, "http://127.0.0.1:9"
    await scene.request()
    async with sending(scene):
        await eventually(lambda: _all(scene, "waiting", 1))
    assert await scene.rows("SELECT state FROM attempts") == [("not_sent",)]
    scene.sandbox = sandbox
    await scene.change("UPDATE messages SET due_at = clock_timestamp()")
    async with sending(scene):
        await eventually(lambda: _all(scene, "accepted", 1))
    assert len(await scene.accepted()) == 1


async def test_past_the_deadline_nothing_leaves(scene: Scene) -> None:
    await scene.request()
    async with sending(scene, deadline=0.000001):
        await eventually(lambda: _all(scene, "waiting", 1))
    assert await scene.accepted() == []
    assert ("not_sent",) in await scene.rows("SELECT DISTINCT state FROM attempts")


async def test_one_address_is_written_to_one_at_a_time(scene: Scene) -> None:
    await scene.fault("delay_answer", milliseconds=500, times=1)
    await scene.request("+12025550001", "first")
    await scene.request("+12025550001", "second")
    async with sending(scene, answer_within=3):
        await eventually(lambda: _all(scene, "waiting", 1))
        assert await scene.open_sends() == 1
        await eventually(lambda: _all(scene, "accepted", 2))
    assert [e["form"]["text"]["body"] for e in await scene.accepted()] == ["first", "second"]


async def test_the_senders_pace_is_kept(scene: Scene) -> None:
    await scene.open_channel(version=2, per_second=20)
    await scene.run_messages(40)
    started = time.monotonic()
    async with sending(scene):
        await eventually(lambda: _all(scene, "accepted", 40))
    assert time.monotonic() - started >= 39 / 20 - 0.1


async def test_urgent_messages_overtake_a_broadcast(scene: Scene) -> None:
    await scene.run_messages(30)
    await scene.request("+12025559999", "urgent")
    async with sending(scene, concurrency=1):
        await eventually(lambda: _all(scene, "accepted", 31), within=20)
    assert (await scene.accepted())[0]["form"]["text"]["body"] == "urgent"


async def test_a_retry_goes_before_first_passes_that_were_due_before_it(scene: Scene) -> None:
    await scene.run_messages(12)
    await scene.change(
        "UPDATE messages SET state = 'waiting', number = 1, due_at = clock_timestamp()"
        " WHERE seq = 12"
    )
    await scene.request("+12025559999", "urgent")
    async with sending(scene, concurrency=1):
        await eventually(lambda: _all(scene, "accepted", 13), within=20)
    first, second, *_ = [line["form"]["text"]["body"] for line in await scene.accepted()]
    assert (first, second) == ("urgent", "hello 12")


async def test_what_a_lost_sender_was_sending_is_in_doubt_and_the_rest_goes_on(
    scene: Scene,
) -> None:
    attempts = await scene.run_messages(3)
    await _leave_in_flight(scene, attempts[0])
    assert await doubt_lost(scene.database)
    assert not await doubt_lost(scene.database)
    async with sending(scene, owner="worker-2"):
        await eventually(lambda: _all(scene, "accepted", 2))
    assert await scene.states() == {"accepted": 2, "in_doubt": 1}
    assert attempts[0] not in {e["reference"] for e in await scene.accepted()}
    assert await scene.open_sends() == 0


async def test_past_the_horizon_it_is_unknown_and_a_late_status_corrects_it(scene: Scene) -> None:
    (attempt_id,) = await scene.run_messages(1)
    await _leave_in_flight(scene, attempt_id)
    await doubt_lost(scene.database)
    assert not await close_doubtful(scene.database, horizon=3600)
    assert await close_doubtful(scene.database, horizon=0)
    assert await scene.facts() == ["message.unknown.v1"]
    async with sending(scene):
        await scene.report("read", "wamid.late", attempt_id)
        await scene.fold()
        assert await scene.states() == {"accepted": 1}
    assert (await scene.facts())[1:] == ["message.accepted.v1", "message.read.v1"]
    assert await scene.accepted() == []  # never sent again


async def test_a_business_cannot_write_from_anothers_number(scene: Scene) -> None:
    scene.business_id = new_id(BUSINESS)
    await scene.request()
    async with sending(scene):
        await eventually(lambda: _all(scene, "failed", 1))
    assert await scene.accepted() == []
    assert await scene.rows("SELECT code FROM messages") == [("foreign_channel",)]


async def test_two_businesses_that_claim_one_number_share_neither_pace_nor_addresses(
    scene: Scene,
) -> None:
    other = Scene(scene.database, scene.sandbox, scene.http, account=scene.account)
    await other.open_channel(token=scene.token, per_second=0.001)
    await scene.request("+12025550000")
    await scene.request("+12025550001")
    await other.request("+12025550000")
    channels = {c.channel_id: c for c in await _due(scene)}
    granted = [
        await commit_intents(
            scene.database,
            channels[stage.channel_id],
            wanted=10,
            terms=Terms(owner="w1", lease=30, deadline=10),
            draft=Draft(),
        )
        for stage in (other, scene)
    ]
    assert [len(intents.granted) for intents in granted] == [1, 2]
    assert granted[1].interval == pytest.approx(1 / 10_000)
    assert await scene.open_sends() == 3


async def _due(scene: Scene) -> list[Channel]:
    async with transaction(scene.database) as session:
        return await due_channels(session)


async def test_a_message_without_a_channel_waits_for_it_and_then_fails(scene: Scene) -> None:
    await scene.change("DELETE FROM channels")
    await scene.request()
    assert not await fail_homeless(scene.database, patience=600)
    assert await fail_homeless(scene.database, patience=0)
    assert await scene.facts() == ["message.failed.v1"]


async def _all(scene: Scene, state: str, count: int) -> bool:
    return (await scene.states()).get(state, 0) >= count


async def _leave_in_flight(scene: Scene, attempt_id: str) -> None:
    """What kill -9 leaves behind, half a minute later."""
    async with transaction(scene.database) as session:
        await session.execute(
            text(
                "WITH lost AS (UPDATE messages SET state = 'sending', number = 1, owner = 'gone',"
                " lease_until = clock_timestamp() WHERE attempt_id = :a RETURNING *)"
                " INSERT INTO attempts (attempt_id, number, message_id, business_id, account,"
                " owner, send_deadline) SELECT attempt_id, 1, message_id, business_id, '1', owner,"
                " clock_timestamp() FROM lost"
            ),
            {"a": attempt_id},
        )
        await session.execute(
            text("INSERT INTO open_sends SELECT '1', '+12025550001', CAST(:a AS text)"),
            {"a": attempt_id},
        )


async def test_what_goes_wrong_on_one_channel_stops_nobody_else(scene: Scene) -> None:
    await scene.change("INSERT INTO channels SELECT 'chn_0', 'biz_0', 1, '1', 'k1', '', 1, true;")
    # A row that no code of ours writes: its next attempt would break a rule of the table.
    await scene.change(
        "INSERT INTO messages (message_id, attempt_id, business_id, channel_id, lane, address,"
        " body, correlation_id) VALUES ('msg_0', 'att_0', 'biz_0', 'chn_0', 0, '+1', '', 'c')"
    )
    await scene.change(
        "INSERT INTO attempts (attempt_id, number, message_id, business_id, account, owner,"
        " send_deadline) VALUES ('att_0', 1, 'msg_0', 'biz_0', '1', '', clock_timestamp())"
    )
    await scene.run_messages(3)
    async with sending(scene):
        await eventually(lambda: _all(scene, "accepted", 3))
    assert await scene.states() == {"accepted": 3, "queued": 1}
