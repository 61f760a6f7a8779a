"""Each fault does what it says, seen from the customer's side and from the witness's."""

import asyncio
import time

import aiohttp
import pytest
from tests.integration.sandbox.customers import Customer
from tests.integration.sandbox.listener import Listener
from tests.integration.sandbox.test_call_life import ANSWERED, BUSY, PROGRESS, signed_rightly


async def accepted(customer: Customer) -> int:
    return len(await customer.witnessed("call_accepted"))


@pytest.mark.parametrize(
    ("order", "status", "count"),
    [
        ({"kind": "reject", "code": 21215}, 400, 0),
        ({"kind": "rate_limit", "retry_after": 3}, 429, 0),
        ({"kind": "error_before_accept"}, 500, 0),
        ({"kind": "error_after_accept"}, 500, 1),
    ],
)
async def test_errors_before_and_after_acceptance(
    customer: Customer, order: dict[str, object], status: int, count: int
) -> None:
    await customer.order(**order)  # type: ignore[arg-type]
    answered, _ = await customer.create(BUSY)
    assert answered == status
    assert await accepted(customer) == count


async def test_accepted_and_never_answered(customer: Customer, listener: Listener) -> None:
    await customer.order("accept_never_answer", times=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await customer.create(BUSY)
    assert await accepted(customer) == 1
    await listener.until(lambda: "busy" in customer.statuses())


async def test_neither_accepted_nor_answered(customer: Customer) -> None:
    await customer.order("never_answer", times=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await customer.create(BUSY)
    assert await accepted(customer) == 0
    assert (await customer.create(BUSY))[0] == 201


async def test_accepted_and_reset(customer: Customer, listener: Listener) -> None:
    await customer.order("accept_then_reset", times=1)
    with pytest.raises(aiohttp.ClientOSError) as reset:
        await customer.create(BUSY)
    assert isinstance(reset.value, ConnectionResetError) or reset.value.errno == 104
    assert await accepted(customer) == 1
    await listener.until(lambda: "busy" in customer.statuses())


async def test_a_slow_body_and_a_late_answer_are_still_true(customer: Customer) -> None:
    await customer.order("slow_body", seconds=0.3, times=1)
    begun = time.monotonic()
    status, call = await customer.create(BUSY)
    assert (status, call["status"]) == (201, "queued")
    assert time.monotonic() - begun >= 0.25
    await customer.order("delay_answer", milliseconds=300, times=1)
    begun = time.monotonic()
    assert (await customer.create(BUSY))[0] == 201
    assert time.monotonic() - begun >= 0.3


async def test_lost_callbacks(customer: Customer, listener: Listener) -> None:
    await customer.order("callbacks_lost", times=1)
    await customer.create(ANSWERED)
    lost = await customer.until_witnessed("callback_lost", 4)
    assert [entry["call_status"] for entry in lost] == PROGRESS
    assert listener.at("/status") == []


async def test_repeated_callbacks(customer: Customer, listener: Listener) -> None:
    await customer.order("callbacks_repeated", copies=3)
    await customer.create(BUSY)
    await listener.until(lambda: len(listener.at("/status")) == 9)
    assert sorted(customer.statuses()) == sorted(["initiated", "ringing", "busy"] * 3)


async def test_shuffled_callbacks_keep_their_numbers(
    customer: Customer, listener: Listener
) -> None:
    await customer.order("callbacks_shuffled", milliseconds=400)
    for _ in range(5):
        await customer.create(BUSY)
    await listener.until(lambda: len(listener.at("/status")) == 15)
    heard = [(each.form["CallSid"], each.form["SequenceNumber"]) for each in listener.at("/status")]
    assert len(set(heard)) == 15
    by_call = [[n for sid, n in heard if sid == call] for call in {sid for sid, _ in heard}]
    assert any(numbers != sorted(numbers) for numbers in by_call)


async def test_early_callbacks_beat_the_answer(customer: Customer, listener: Listener) -> None:
    await customer.order("callbacks_early", times=1)
    await customer.create(BUSY)
    assert customer.statuses()[:1] == ["initiated"]


async def test_forged_and_delayed_callbacks(customer: Customer, listener: Listener) -> None:
    await customer.order("callbacks_forged", times=1)
    await customer.order("callbacks_delayed", seconds=0.4, times=1)
    begun = time.monotonic()
    await customer.create(BUSY)
    await listener.until(lambda: bool(listener.at("/status")))
    assert time.monotonic() - begun >= 0.4
    assert not signed_rightly(listener.at("/status")[0])


async def test_a_lagging_list_hides_new_calls_only(customer: Customer) -> None:
    await customer.create(BUSY)
    await customer.order("list_lag", seconds=30, nth=1)
    assert (await customer.get(customer.calls))["calls"] == []
    assert len((await customer.get(customer.calls))["calls"]) == 1


async def test_faults_choose_by_address_number_and_path(customer: Customer) -> None:
    await customer.order("reject", to=BUSY, nth=2, code=21216)
    found = [(await customer.create(to))[0] for to in (ANSWERED, BUSY, BUSY, BUSY)]
    assert found == [201, 201, 400, 201]
    await customer.order("error_before_accept", path="*/Calls/CA*.json", method="GET")
    sid = (await customer.witnessed("call_accepted"))[0]["sid"]
    broken = await customer.get(customer.calls.replace(".json", f"/{sid}.json"))
    assert broken["code"] == 20500
    assert [entry["fault"] for entry in await customer.witnessed("fault")] == [
        "reject",
        "error_before_accept",
    ]
