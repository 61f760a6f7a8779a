"""What calls cost: told by a poll, or asked for after the end, a few times and no more."""

from __future__ import annotations

from tests.integration.outbound.stage import Stage
from tests.integration.outbound.test_legs import report_inbound

from trunkline_common.testing import facts
from trunkline_outbound.after_calls import ask_prices, poll_silent_legs
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.gateways.twilio_calls import TwilioCalls
from trunkline_outbound.legs import fold_legs
from trunkline_outbound.news import poll_silent_calls

ANSWERED = "+12025500001"  # the sandbox's people pick up where a number ends like this
DUE = "UPDATE calls SET price_at = now() WHERE price_at IS NOT NULL RETURNING 1"
NOWHERE = "http://127.0.0.1:9"


async def one_call(stage: Stage) -> tuple[str, str]:
    """(attempt, provider's id) of a call that was answered and is over at the provider."""
    run_id = await stage.scene.start_run(2)
    await stage.scene.rows(
        "UPDATE jobs SET address = :a WHERE run_id = :r AND seq = 2 RETURNING 1",
        a=ANSWERED,
        r=run_id,
    )
    await stage.dispatch(run_id, accepted=2)

    async def over() -> bool:
        said = await stage.witnessed("call_status")
        return len({e["sid"] for e in said if e["final"]}) == 2

    await facts.eventually(over, 60)
    [row] = await stage.scene.rows(
        "SELECT attempt_id, provider_id FROM attempts WHERE to_number = :a", a=ANSWERED
    )
    return str(row[0]), str(row[1])


async def priced(stage: Stage, attempt_id: str) -> list[tuple[object, ...]]:
    rows = await stage.scene.rows(
        "SELECT price LIKE '-0.0%', price_unit, price_at IS NULL FROM calls WHERE attempt_id = :a",
        a=attempt_id,
    )
    return [tuple(row) for row in rows]


async def told(stage: Stage, attempt_id: str) -> object:
    return await stage.scene.value(
        "SELECT count(*) FROM outbox JOIN calls ON calls.call_id = subject"
        " WHERE name = 'call.priced.v1' AND attempt_id = :a",
        a=attempt_id,
    )


async def test_a_poll_that_finds_the_end_keeps_the_price_with_it(stage: Stage) -> None:
    scene = stage.scene
    attempt_id, _ = await one_call(stage)
    for _ in range(2):
        await scene.rows(
            "UPDATE calls SET poll_at = clock_timestamp(), ended_at = NULL RETURNING 1"
        )
        await poll_silent_calls(scene.database, stage.registry, stage.accounts, first=60)
        await fold_calls(scene.database, batch=100)
    assert await priced(stage, attempt_id) == [(True, "USD", True)]
    assert await scene.value("SELECT duration > 0 FROM calls WHERE attempt_id = :a", a=attempt_id)
    assert await told(stage, attempt_id) == 1


async def test_the_price_of_an_ended_call_is_asked_for_and_told_once(stage: Stage) -> None:
    scene = stage.scene
    attempt_id, sid = await one_call(stage)
    await scene.report(attempt_id, sid, "completed", duration=9, sip_code="200")
    await fold_calls(scene.database, batch=10)
    assert await scene.value("SELECT code FROM calls WHERE attempt_id = :a", a=attempt_id) == "200"
    assert await ask_prices(scene.database, stage.registry, stage.accounts) == 0  # not yet
    for expected in (1, 0):
        await scene.rows(DUE)
        asked = await ask_prices(scene.database, stage.registry, stage.accounts)
        assert asked == expected
    assert await priced(stage, attempt_id) == [(True, "USD", True)]
    assert await told(stage, attempt_id) == 1


async def test_a_silent_provider_is_asked_for_a_price_three_times(stage: Stage) -> None:
    scene = stage.scene
    attempt_id, sid = await one_call(stage)
    await scene.report(attempt_id, sid, "completed", duration=9)
    await fold_calls(scene.database, batch=10)
    dead = TwilioCalls(stage.http, NOWHERE)
    asked = []
    for _ in range(4):
        await scene.rows(DUE)
        asked.append(await ask_prices(scene.database, dead, stage.accounts))
    assert asked == [1, 1, 1, 0]
    assert await told(stage, attempt_id) == 0


async def test_a_call_on_the_way_in_without_callbacks_is_polled_to_its_end(stage: Stage) -> None:
    scene = stage.scene
    asked = {
        "account_sid": scene.account,
        "from": "anonymous",
        "to": "+15005550006",
        "voice_url": f"{stage.url}/nowhere",
    }
    await stage.post("/sandbox/twilio/inbound", asked)
    [call] = await stage.witnessed("call_received")
    await report_inbound(scene, call["sid"], "ringing")
    await fold_legs(scene.database, batch=10)

    async def over() -> bool:
        await scene.rows("UPDATE legs SET poll_at = clock_timestamp() RETURNING 1")
        await poll_silent_legs(scene.database, stage.registry, stage.accounts, first=60)
        await fold_legs(scene.database, batch=10)
        return await scene.value("SELECT ended_at IS NOT NULL FROM legs") is True

    await facts.eventually(over, 30)
    assert await scene.value("SELECT status FROM legs") == "completed"
    assert await scene.value("SELECT direction FROM legs") == "inbound"


async def test_the_first_question_about_a_leg_comes_when_the_setting_says(stage: Stage) -> None:
    scene = stage.scene
    await report_inbound(scene, "CA" + "5" * 32, "ringing")
    await fold_legs(scene.database, batch=10)

    async def asked(first: float) -> int:
        return await poll_silent_legs(scene.database, stage.registry, stage.accounts, first=first)

    assert await asked(30) == 0
    await facts.eventually(lambda: asked(1), 10)
    assert await asked(1) == 0, "and the next one later"
