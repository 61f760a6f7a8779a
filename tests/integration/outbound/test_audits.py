"""The audit of a day: what the provider really has against what we count, page by page."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import aiohttp
import pytest
from tests.integration.outbound.scene import SEALER, Scene
from tests.integration.outbound.stage import NOWHERE, Stage
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.db import transaction
from trunkline_common.ids import BUSINESS, CHANNEL, new_id
from trunkline_common.loops import Stop
from trunkline_common.testing import facts
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.auditing import audit_now
from trunkline_outbound.audits import Auditor
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.gateways.twilio_calls import TwilioCalls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store import audits as store

OTHER_SID = "CA" + "9" * 32


def today() -> date:
    return datetime.now(UTC).date()


def auditor_of(stage: Stage, *, page: int = 2, url: str | None = None) -> Auditor:
    """An auditor as a process of its own would have it."""
    registry = TwilioCalls(stage.http, url or stage.url, page=page)
    return Auditor(stage.scene.database, registry, Accounts(stage.scene.database, SEALER))


async def audited(stage: Stage, auditor: Auditor | None = None) -> dict[str, tuple[str, str]]:
    """Audit today; the differences by the provider's id."""
    auditor = auditor or auditor_of(stage)
    key = await auditor.reopen(stage.scene.channel_id, today())
    while await auditor.look(key):
        pass
    rows = await stage.scene.rows(
        "SELECT provider_id, side, rule FROM audit_differences WHERE business_id = :b",
        b=stage.scene.business_id,
    )
    return {str(provider_id): (str(side), str(rule)) for provider_id, side, rule in rows}


async def report(stage: Stage) -> dict[str, object]:
    names = ("state", "pages", "ours", "theirs", "inbound", "only_ours", "only_theirs", "reason")
    [row] = await stage.scene.rows(
        "SELECT state, pages, ours, theirs, inbound, only_ours, only_theirs, reason"
        " FROM call_audits WHERE business_id = :b AND day = :d",
        b=stage.scene.business_id,
        d=today(),
    )
    return dict(zip(names, row, strict=True))


async def called_elsewhere(stage: Stage, to: str) -> str:
    """A call that the business made past us."""
    url = f"{stage.url}/2010-04-01/Accounts/{stage.scene.account}/Calls.json"
    form = {"To": to, "From": "+15005550006", "Twiml": "<Response><Hangup/></Response>"}
    login = {"Authorization": aiohttp.encode_basic_auth(stage.scene.account, "secret")}
    async with stage.http.post(url, data=form, headers=login) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["sid"])


async def dialled(stage: Stage, count: int) -> None:
    """So many calls of ours that have started at the provider."""
    run_id = await stage.scene.start_run(count)
    await stage.dispatch(run_id, accepted=count)
    await started(stage, count)


async def started(stage: Stage, count: int) -> None:
    async def so() -> bool:
        said = await stage.witnessed("call_status")
        return len({entry["sid"] for entry in said}) == count

    await facts.eventually(so, 20)


async def test_both_sides_alike_make_an_empty_report(stage: Stage) -> None:
    await dialled(stage, 5)
    assert await audited(stage) == {}
    assert await report(stage) == {
        "state": "done",
        "pages": 3,
        "ours": 5,
        "theirs": 5,
        "inbound": 0,
        "only_ours": 0,
        "only_theirs": 0,
        "reason": None,
    }
    assert await stage.scene.value("SELECT count(*) FROM audit_listed") == 0


async def test_a_call_made_past_us_is_theirs_alone(stage: Stage) -> None:
    await dialled(stage, 2)
    sid = await called_elsewhere(stage, "+12025559999")
    await started(stage, 3)
    assert await audited(stage) == {sid: ("theirs", "made_elsewhere")}
    told = await report(stage)
    assert (told["ours"], told["theirs"], told["only_theirs"]) == (2, 3, 1)


async def test_a_call_that_the_provider_never_had_is_ours_alone(stage: Stage) -> None:
    scene = stage.scene
    run_id = await scene.start_run(1)
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    attempt_id = intents.granted[0].attempt_id
    accepted = Recorded(attempt_id, run_id, Result("accepted", provider_id=OTHER_SID))
    await record(scene.database, [accepted])
    assert await audited(stage) == {OTHER_SID: ("ours", "provider_has_none")}
    assert await scene.value("SELECT attempt_id FROM audit_differences") == attempt_id


async def test_a_call_of_another_day_is_no_difference(stage: Stage) -> None:
    """Accepted before midnight and started after it: the provider's day is not ours."""
    await dialled(stage, 2)
    await stage.scene.rows(
        "UPDATE calls SET dialled_at = dialled_at - interval '1 day' RETURNING 1"
    )
    auditor = auditor_of(stage)
    key = await auditor.reopen(stage.scene.channel_id, today() - timedelta(days=1))
    while await auditor.look(key):
        pass
    assert await stage.scene.rows("SELECT ours, theirs, only_ours FROM call_audits") == [(2, 0, 0)]
    assert await audited(stage) == {}


async def test_an_attempt_that_was_given_up_is_found_and_a_late_proof_mends_the_report(
    stage: Stage,
) -> None:
    run_id = await stage.scene.start_run(1)
    await stage.fault("accept_never_answer")
    await stage.fault("list_lag", seconds=3600, times=2)
    await stage.dispatch(run_id, in_doubt=1)
    await stage.let_the_grace_pass()
    await stage.ask()
    assert await stage.scene.states(run_id) == {"unknown": 1}
    await started(stage, 1)
    await stage.clear_faults()
    [call] = await stage.witnessed("call_accepted")
    assert await audited(stage) == {call["sid"]: ("theirs", "attempt_absent")}
    attempt_id = str(await stage.scene.value("SELECT attempt_id FROM audit_differences"))
    await stage.scene.report(attempt_id, call["sid"], "completed")
    await fold_calls(stage.scene.database, batch=10)
    assert await audited(stage) == {}


async def test_a_killed_audit_goes_on_at_its_page(stage: Stage) -> None:
    await dialled(stage, 5)
    first, second = auditor_of(stage), auditor_of(stage)
    key = await first.reopen(stage.scene.channel_id, today())
    assert await first.look(key)
    assert (await report(stage))["pages"] == 1
    async with transaction(stage.scene.database) as session:
        held = await store.pick(session, hold=60)  # whoever has it is dead
    assert held is not None
    assert held.next_page is not None
    assert not await second.look(key)
    await stage.scene.rows("UPDATE call_audits SET try_at = clock_timestamp() RETURNING 1")
    while await second.look(key):
        pass
    told = await report(stage)
    assert (told["state"], told["pages"], told["theirs"]) == ("done", 3, 5)
    async with transaction(stage.scene.database) as session:
        assert not await store.keep_page(session, held, (), None)  # it wakes up, and is nobody


async def test_a_refused_page_begins_the_list_again(stage: Stage) -> None:
    await dialled(stage, 3)
    auditor = auditor_of(stage)
    key = await auditor.reopen(stage.scene.channel_id, today())
    await auditor.look(key)
    stale = f"/2010-04-01/Accounts/{stage.scene.account}/Calls.json?PageToken=PAnone&PageSize=2"
    await stage.scene.rows("UPDATE call_audits SET next_page = :p RETURNING 1", p=stale)
    await auditor.look(key)
    assert await stage.scene.rows("SELECT next_page, reason FROM call_audits") == [
        (None, "provider_silent")
    ]
    await stage.scene.rows("UPDATE call_audits SET try_at = clock_timestamp() RETURNING 1")
    while await auditor.look(key):
        pass
    assert (await report(stage))["theirs"] == 3


async def test_a_page_of_another_account_is_not_followed(stage: Stage) -> None:
    await dialled(stage, 3)
    auditor = auditor_of(stage)
    key = await auditor.reopen(stage.scene.channel_id, today())
    await auditor.look(key)
    await stage.scene.rows("UPDATE call_audits SET next_page = '@elsewhere/x' RETURNING 1")
    await auditor.look(key)
    assert await stage.scene.value("SELECT next_page FROM call_audits") is None


async def test_a_silent_provider_is_asked_less_and_less_and_given_up(stage: Stage) -> None:
    auditor = auditor_of(stage, url=NOWHERE)
    key = await auditor.reopen(stage.scene.channel_id, today())
    assert await auditor.look(key)
    assert not await auditor.look(key)
    await stage.scene.rows(
        "UPDATE call_audits SET try_at = clock_timestamp(), tries = 30 RETURNING 1"
    )
    assert await auditor.look(key)
    told = await report(stage)
    assert (told["state"], told["reason"]) == ("failed", "provider_silent")


async def test_every_account_is_due_once_for_each_of_the_last_days(stage: Stage) -> None:
    scene = stage.scene
    twin = Scene(scene.database, business_id=scene.business_id, account=scene.account)
    await twin.open_channel()  # a second channel of the same account
    written = Scene(scene.database, business_id=scene.business_id, kind="whatsapp")
    await written.open_channel()
    shut = Scene(scene.database, account="AC" + "5" * 32)
    await shut.open_channel(enabled=False)
    auditor = auditor_of(stage)
    for _ in range(2):
        await auditor.open_due(time(0))
    days = await scene.rows("SELECT account, day FROM call_audits ORDER BY day DESC")
    assert days == [(scene.account, today() - timedelta(days=back)) for back in (1, 2, 3)]
    while await auditor.look():
        pass
    assert await scene.value("SELECT count(*) FROM call_audits WHERE state = 'done'") == 3


async def test_an_account_that_two_businesses_name_is_audited_for_each_alone(
    stage: Stage,
) -> None:
    other = Scene(
        stage.scene.database,
        business_id=new_id(BUSINESS),
        channel_id=new_id(CHANNEL),
        account=stage.scene.account,
    )
    await other.open_channel()
    await dialled(stage, 2)
    assert await audited(stage) == {}
    theirs = await audited(replace(stage, scene=other))
    assert set(theirs.values()) == {("theirs", "made_elsewhere")}
    rows = await stage.scene.rows("SELECT business_id, attempt_id, call_id FROM audit_differences")
    assert rows == [(other.business_id, None, None)] * 2
    assert await audited(stage) == {}


async def test_an_operator_has_the_report_printed(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    await dialled(stage, 1)
    sid = await called_elsewhere(stage, "+12025559998")
    await started(stage, 2)
    options = Namespace(channel=stage.scene.channel_id, day=today())
    assert await audit_now(auditor_of(stage), options, Stop()) == 1
    printed = capsys.readouterr().out
    assert sid in printed
    assert "+1202555" not in printed
    nobody = Namespace(channel="chn_none", day=today())
    assert await audit_now(auditor_of(stage), nobody, Stop()) == 2
