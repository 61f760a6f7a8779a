"""WhatsApp runs: each job is handed over once, and ends with what messaging says of it."""

from __future__ import annotations

import itertools
import json

import pytest
from tests.integration.outbound.scene import FakeVoice, Scene, addresses
from tests.integration.outbound.test_dispatch import running, until_states

from trunkline_common.contracts.envelope import Event
from trunkline_common.contracts.messaging import (
    MessageAccepted,
    MessageCancelled,
    MessageDelivered,
    MessageFailed,
    MessageRead,
    MessageSent,
    MessageUnknown,
)
from trunkline_common.db import Database
from trunkline_common.ids import MESSAGE, new_id
from trunkline_messaging.settings import MessagingSettings
from trunkline_outbound import runs
from trunkline_outbound.horizons import Horizons, close_silent
from trunkline_outbound.results import fold_messages
from trunkline_outbound.settings import Settings


@pytest.fixture
async def whatsapp(outbound_database: Database) -> Scene:
    stage = Scene(outbound_database, kind="whatsapp", account="1234567890", concurrent=50)
    await stage.open_channel()
    return stage


def said(status: str, attempt_id: str, run_id: str, seq: int) -> Event:
    known = {
        "message_id": new_id(MESSAGE),
        "attempt_id": attempt_id,
        "channel_id": "chn",
        "run_id": run_id,
        "seq": seq,
        "provider_message_id": "wamid.1",
        "to": "+1202555000000",
        "text": "hello",
        "code": "131026",
        "reason": "undeliverable",
    }
    classes: dict[str, type[Event]] = {
        "accepted": MessageAccepted,
        "sent": MessageSent,
        "delivered": MessageDelivered,
        "read": MessageRead,
        "failed": MessageFailed,
        "unknown": MessageUnknown,
    }
    return classes[status].model_validate(known)


async def one_handed_over(scene: Scene) -> tuple[str, str]:
    run_id = await scene.start_run(1)
    async with running(scene.dispatcher(FakeVoice())):
        await until_states(scene, run_id, {"accepted": 1})
    return run_id, str(await scene.value("SELECT attempt_id FROM attempts"))


async def test_every_job_is_handed_over_once_within_the_window(whatsapp: Scene) -> None:
    run_id = await whatsapp.start_run(120)
    async with running(whatsapp.dispatcher(FakeVoice()), whatsapp.dispatcher(FakeVoice())):
        await until_states(whatsapp, run_id, {"accepted": 50, "queued": 70})
        handed = await whatsapp.rows("SELECT attempt_id, seq FROM attempts")
        for attempt_id, seq in handed:
            await whatsapp.hear(said("accepted", str(attempt_id), run_id, int(str(seq))))
        await fold_messages(whatsapp.database, batch=500)
        await until_states(whatsapp, run_id, {"accepted": 100, "queued": 20})
    rows = await whatsapp.rows("SELECT payload FROM outbox WHERE name = 'run.message_due.v1'")
    due = [json.loads(str(row[0])) for row in rows]
    assert len({fact["to"] for fact in due}) == len(due) == 100
    assert {fact["to"] for fact in due} <= set(addresses(120))
    assert {fact["text"] for fact in due} == {"hello"}


@pytest.mark.parametrize(
    "order", list(itertools.permutations(("accepted", "sent", "delivered", "read"))), ids="-".join
)
async def test_any_order_of_results_gives_one_outcome(
    whatsapp: Scene, order: tuple[str, ...]
) -> None:
    run_id, attempt_id = await one_handed_over(whatsapp)
    for status in order:
        for _ in range(2):
            await whatsapp.hear(said(status, attempt_id, run_id, 1))
            await fold_messages(whatsapp.database, batch=10)
    assert await whatsapp.rows("SELECT state, outcome, reason FROM jobs") == [
        ("done", "read", "message_read")
    ]
    assert await whatsapp.value("SELECT count(*) FROM slots") == 0
    assert await whatsapp.value("SELECT in_use FROM limits") == 0


async def test_a_message_of_somebody_who_was_suppressed_meanwhile_is_skipped(
    whatsapp: Scene,
) -> None:
    run_id, attempt_id = await one_handed_over(whatsapp)
    stopped = MessageCancelled(
        message_id=new_id(MESSAGE),
        attempt_id=attempt_id,
        channel_id="chn",
        run_id=run_id,
        seq=1,
        reason="suppressed_prefix",
    )
    await whatsapp.hear(stopped)
    await fold_messages(whatsapp.database, batch=10)
    assert await whatsapp.rows("SELECT state, outcome, reason FROM jobs") == [
        ("skipped", None, "suppressed_prefix")
    ]
    assert await whatsapp.rows("SELECT decision, rule FROM decisions") == [
        ("skipped", "suppressed_prefix")
    ]
    assert await whatsapp.value("SELECT count(*) FROM slots") == 0
    assert await whatsapp.value("SELECT count(*) FROM outbox WHERE name = 'job.ended.v1'") == 1


@pytest.mark.parametrize(
    ("statuses", "state", "outcome", "reason"),
    [
        (("failed",), "done", "failed", "message_failed_131026"),
        (("unknown",), "unknown", None, "undeliverable"),
        (("unknown", "delivered"), "done", "delivered", "message_delivered"),
        (("delivered", "failed"), "done", "delivered", "message_delivered"),
        (("delivered", "unknown"), "done", "delivered", "message_delivered"),
        (("unknown", "accepted"), "done", "accepted", "message_accepted"),
        (("unknown", "accepted", "sent"), "done", "sent", "message_sent"),
    ],
)
async def test_how_a_message_may_end(
    whatsapp: Scene, statuses: tuple[str, ...], state: str, outcome: str | None, reason: str
) -> None:
    run_id, attempt_id = await one_handed_over(whatsapp)
    for status in statuses:
        await whatsapp.hear(said(status, attempt_id, run_id, 1))
        await fold_messages(whatsapp.database, batch=10)
    assert await whatsapp.rows("SELECT state, outcome, reason FROM jobs") == [
        (state, outcome, reason)
    ]
    assert await runs.complete_finished(whatsapp.database) == 1


async def _a_day_later(scene: Scene) -> None:
    await scene.rows("UPDATE jobs SET changed_at = changed_at - interval '25 h' RETURNING 1")


@pytest.mark.parametrize(
    ("statuses", "state", "outcome", "reason"),
    [
        ((), "accepted", None, "accepted"),  # messaging itself may still be in doubt
        (("accepted",), "done", "accepted", "no_further_status"),
        (("accepted", "sent"), "done", "sent", "no_further_status"),
    ],
)
async def test_a_message_keeps_its_last_word_at_the_horizon(
    whatsapp: Scene, statuses: tuple[str, ...], state: str, outcome: str | None, reason: str
) -> None:
    run_id, attempt_id = await one_handed_over(whatsapp)
    for status in statuses:
        await whatsapp.hear(said(status, attempt_id, run_id, 1))
        await fold_messages(whatsapp.database, batch=10)
    await close_silent(whatsapp.database, Horizons())
    assert await whatsapp.states(run_id) == {"accepted": 1}
    await _a_day_later(whatsapp)
    await close_silent(whatsapp.database, Horizons())
    rows = await whatsapp.rows("SELECT state, outcome, coalesce(reason, 'accepted') FROM jobs")
    assert rows == [(state, outcome, reason)]


async def test_a_message_that_was_never_heard_of_is_unknown_until_it_is(whatsapp: Scene) -> None:
    run_id, attempt_id = await one_handed_over(whatsapp)
    for _ in range(2):
        await _a_day_later(whatsapp)
    await close_silent(whatsapp.database, Horizons())
    expected = [("unknown", None, "message_unheard")]
    assert await whatsapp.rows("SELECT state, outcome, reason FROM jobs") == expected
    assert await whatsapp.value("SELECT count(*) FROM slots") == 0
    assert await whatsapp.value("SELECT count(*) FROM outbox WHERE name = 'call.unknown.v1'") == 0
    for status, outcome in (("unknown", None), ("sent", "sent"), ("read", "read")):
        await whatsapp.hear(said(status, attempt_id, run_id, 1))
        await fold_messages(whatsapp.database, batch=10)
        assert await whatsapp.value("SELECT outcome FROM jobs") == outcome
    assert await whatsapp.states(run_id) == {"done": 1}


@pytest.mark.parametrize("outcome", ["accepted", "sent"])
async def test_a_doubt_of_messaging_does_not_touch_what_is_final(
    whatsapp: Scene, outcome: str
) -> None:
    run_id, attempt_id = await one_handed_over(whatsapp)
    await whatsapp.hear(said(outcome, attempt_id, run_id, 1))
    await fold_messages(whatsapp.database, batch=10)
    await _a_day_later(whatsapp)
    await close_silent(whatsapp.database, Horizons())
    await whatsapp.hear(said("unknown", attempt_id, run_id, 1))
    await fold_messages(whatsapp.database, batch=10)
    assert await whatsapp.rows("SELECT state, outcome FROM jobs") == [("done", outcome)]


def test_outbound_bears_silence_longer_than_messaging_doubts() -> None:
    doubt = MessagingSettings.model_fields["in_doubt_horizon"].default
    assert Settings.model_fields["message_unheard_seconds"].default > doubt
    assert Horizons().unheard == Settings.model_fields["message_unheard_seconds"].default
