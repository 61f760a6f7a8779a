"""Calls through their whole life, as a customer sees it: callbacks, TwiML, recordings."""

import asyncio
import wave
from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.integration.sandbox.customers import TOKEN, Customer, register
from tests.integration.sandbox.listener import Heard, Listener
from twilio.request_validator import RequestValidator

ANSWERED, BUSY, NO_ANSWER, FAILED, MACHINE = (f"+49170000000{n}" for n in range(1, 6))
PROGRESS = ["initiated", "ringing", "in-progress", "completed"]


def signed_rightly(heard: Heard) -> bool:
    parameters = heard.form if heard.method == "POST" else {}
    signature = heard.headers["X-Twilio-Signature"]
    return bool(RequestValidator(TOKEN).validate(heard.url, parameters, signature))


async def test_an_answered_call_says_each_step_in_order(
    customer: Customer, listener: Listener
) -> None:
    status, call = await customer.create(ANSWERED)
    assert (status, call["status"]) == (201, "queued")
    await listener.until(lambda: len(listener.at("/status")) == 4)
    assert customer.statuses() == PROGRESS
    events = listener.at("/status")
    assert [each.form["SequenceNumber"] for each in events] == ["0", "1", "2", "3"]
    assert {each.form["CallSid"] for each in events} == {call["sid"]}
    assert {each.form["CallbackSource"] for each in events} == {"call-progress-events"}
    assert all(signed_rightly(each) for each in listener.heard)
    assert int(events[-1].form["CallDuration"]) > 0
    assert events[-1].form["Duration"] == "1"
    (script,) = listener.at("/script")
    assert script.form["CallStatus"] == "in-progress"


async def test_only_the_asked_events_are_said_and_by_get_if_asked(
    customer: Customer, listener: Listener
) -> None:
    form = {
        "To": ANSWERED,
        "From": "+14155550100",
        "Url": f"{listener.url}/script",
        "Method": "GET",
        "StatusCallback": f"{listener.url}/status?x=1",
        "StatusCallbackMethod": "GET",
    }
    async with customer.session.post(customer.calls, data=form, headers=customer.login) as answer:
        assert answer.status == 201
    await listener.until(lambda: bool(listener.at("/status")))
    (completed,) = listener.at("/status")
    assert completed.method == "GET"
    assert completed.query["CallStatus"] == "completed"
    assert completed.query["x"] == "1"
    assert signed_rightly(completed)
    assert signed_rightly(listener.at("/script")[0])


@pytest.mark.parametrize(
    ("to", "statuses"),
    [
        (BUSY, ["initiated", "ringing", "busy"]),
        (NO_ANSWER, ["initiated", "ringing", "no-answer"]),
        (FAILED, ["initiated", "failed"]),
    ],
)
async def test_calls_that_nobody_answers(
    customer: Customer, listener: Listener, to: str, statuses: list[str]
) -> None:
    _, call = await customer.create(to, Timeout="20")
    await listener.until(lambda: len(listener.at("/status")) == len(statuses))
    assert customer.statuses() == statuses
    last = listener.at("/status")[-1]
    assert last.form["CallDuration"] == "0"
    assert ("SipResponseCode" in last.form) is (to == FAILED)
    assert listener.at("/script") == []
    shown = await customer.get(customer.calls.replace(".json", f"/{call['sid']}.json"))
    assert shown["status"] == statuses[-1]


async def test_a_machine_is_told_when_asked(customer: Customer, listener: Listener) -> None:
    await customer.create(MACHINE, MachineDetection="DetectMessageEnd")
    await listener.until(lambda: "completed" in customer.statuses())
    assert listener.at("/status")[-1].form["AnsweredBy"] == "machine_end_beep"


async def test_a_recorded_call_tells_where_its_audio_is(
    customer: Customer, listener: Listener
) -> None:
    await customer.create(
        ANSWERED, Record="true", RecordingStatusCallback=f"{listener.url}/recording"
    )
    await listener.until(lambda: bool(listener.at("/recording")))
    (told,) = listener.at("/recording")
    assert signed_rightly(told)
    assert told.form["RecordingStatus"] == "completed"
    assert told.form["RecordingSource"] == "OutboundAPI"
    assert told.form["ErrorCode"] == "0"
    url = told.form["RecordingUrl"]
    assert urlsplit(url).netloc == urlsplit(customer.sandbox).netloc
    async with customer.session.get(f"{url}.wav", headers=customer.login) as answer:
        audio = await answer.read()
    with wave.open(BytesIO(audio)) as file:
        seconds = file.getnframes() / file.getframerate()
    assert seconds == int(told.form["RecordingDuration"])
    (fetched,) = await customer.witnessed("media_fetched")
    assert fetched["size"] == len(audio)


@pytest.mark.parametrize("script", ["<Response><Say>no end", "<Html/>", "hello"])
async def test_an_unusable_script_ends_the_call_with_12100(
    customer: Customer, listener: Listener, script: str
) -> None:
    listener.script = script
    await customer.create(ANSWERED)
    await listener.until(lambda: "completed" in customer.statuses())
    (error,) = await customer.witnessed("call_error")
    assert error["error_code"] == 12100


async def test_a_script_that_cannot_be_fetched_falls_back(
    customer: Customer, listener: Listener
) -> None:
    await customer.create(
        ANSWERED, Url="http://127.0.0.1:9/none", FallbackUrl=f"{listener.url}/script/two"
    )
    await listener.until(lambda: "completed" in customer.statuses())
    assert len(listener.at("/script/two")) == 1
    (error,) = await customer.witnessed("call_error")
    assert error["error_code"] == 11200


async def test_cancel_before_the_answer(customer: Customer, listener: Listener) -> None:
    _, call = await customer.create(NO_ANSWER, Timeout="600")
    await listener.until(lambda: "ringing" in customer.statuses())
    url = customer.calls.replace(".json", f"/{call['sid']}.json")
    form = {"Status": "canceled"}
    async with customer.session.post(url, data=form, headers=customer.login) as answer:
        assert (await answer.json())["status"] == "canceled"
    await listener.until(lambda: "canceled" in customer.statuses())


async def test_calls_wait_for_their_turn_and_for_room(
    sandbox_url: str, listener: Listener, session: aiohttp.ClientSession
) -> None:
    paced = await register(session, sandbox_url, listener, calls_per_second=20)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(10):
        await paced.create(FAILED)
    await paced.listener.until(lambda: paced.statuses().count("failed") == 10)
    assert loop.time() - begun >= 9 / 20

    narrow = await register(session, sandbox_url, listener, concurrent_calls=1)
    listener.heard.clear()
    for _ in range(3):
        await narrow.create(BUSY)
    await listener.until(lambda: narrow.statuses().count("busy") == 3)
    moves = [(each["sid"], each["status"]) for each in await narrow.witnessed("call_status")]
    assert [status for _, status in moves] == ["initiated", "ringing", "busy"] * 3
