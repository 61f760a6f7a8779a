"""A recording is fetched until it is whole, stored once, and said once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from tests.integration.recordings import provider as answers
from tests.integration.recordings.provider import ACCOUNT, AUDIO, AudioProvider
from tests.integration.recordings.scene import Scene, fetching

from trunkline_common.db import transaction
from trunkline_common.outcomes import Refuse
from trunkline_common.testing import eventually
from trunkline_recordings.domain.keys import storage_key
from trunkline_recordings.domain.outcomes import Outcome, Stored
from trunkline_recordings.fetch import finish
from trunkline_recordings.storage.port import RecordingStore
from trunkline_recordings.store import recordings


async def _is(scene: Scene, state: str, count: int = 1) -> bool:
    return (await scene.states()).get(state) == count


async def _reason(scene: Scene) -> str:
    ((reason,),) = await scene.rows("SELECT reason FROM recordings")
    return str(reason)


async def test_stored_whole_with_its_size_and_sum(
    scene: Scene, provider: AudioProvider, storage: RecordingStore
) -> None:
    sid = await scene.report()
    async with fetching(scene, storage=storage):
        await eventually(lambda: _is(scene, "stored"))
    ((key, size, digest, kind),) = await scene.rows(
        "SELECT storage_key, size, sha256, content_type FROM recordings"
    )
    assert (size, digest, kind) == (len(AUDIO), provider.sum, "audio/x-wav")
    body = b"".join([chunk async for chunk in storage.read(key)])
    assert hashlib.sha256(body).hexdigest() == digest
    assert key.startswith(f"{scene.business_id}/20")
    assert provider.asked == [f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{sid}.wav"]
    ((name, payload, business),) = await scene.rows("SELECT name, payload, business_id FROM outbox")
    assert (name, business) == ("recording.stored.v1", scene.business_id)
    assert json.loads(payload)["storage_key"] == key


async def test_reported_again_is_one_recording(scene: Scene, provider: AudioProvider) -> None:
    sid = await scene.report()
    await scene.report(sid)
    async with fetching(scene):
        await eventually(lambda: _is(scene, "stored"))
        await scene.report(sid)
    assert await scene.facts() == ["recording.stored.v1"]
    assert len(provider.asked) == 1


async def test_two_channels_are_asked_for(scene: Scene, provider: AudioProvider) -> None:
    await scene.report(channels=2)
    async with fetching(scene):
        await eventually(lambda: _is(scene, "stored"))
    assert provider.asked[0].endswith(".wav?RequestedChannels=2")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answers.status(404), "HTTP 404"),
        (answers.status(500), "HTTP 500"),
        (answers.short, "ClientPayloadError"),
        (answers.empty, "0 bytes"),
        (answers.page, "text/html instead of audio"),
        (answers.status(302, Location="http://169.254.169.254/x"), "not allowed"),
        (answers.status(307, Location=""), "not allowed"),
    ],
)
async def test_not_this_time_is_tried_again_and_leaves_nothing(
    scene: Scene, provider: AudioProvider, answer: answers.Answer, reason: str
) -> None:
    provider.answers.append(answer)
    await scene.report()
    async with fetching(scene):
        await eventually(lambda: _is(scene, "due"))
        await eventually(lambda: _said(scene, reason))
        assert scene.files() == []
        await scene.due_now()
        await eventually(lambda: _is(scene, "stored"))
    assert await scene.facts() == ["recording.stored.v1"]


async def _said(scene: Scene, reason: str) -> bool:
    return reason in await _reason(scene)


@pytest.mark.parametrize(
    "passing",
    [
        [answers.status(500)],
        [answers.status(503), answers.reset, answers.status(502)],
        [answers.status(429, **{"Retry-After": "1"})],
    ],
)
async def test_what_passes_within_seconds_costs_no_try(
    scene: Scene, provider: AudioProvider, passing: list[answers.Answer]
) -> None:
    provider.answers.extend(passing)
    await scene.report()
    async with fetching(scene, patience=15.0, max_tries=1):
        await eventually(lambda: _is(scene, "stored"), 20)
    assert len(provider.asked) == len(passing) + 1
    assert await scene.facts() == ["recording.stored.v1"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answers.status(429, **{"Retry-After": "60"}), "HTTP 429"),
        (answers.status(404), "HTTP 404"),
        (answers.short, "ClientPayloadError"),
    ],
)
async def test_what_does_not_pass_is_left_to_the_row(
    scene: Scene, provider: AudioProvider, answer: answers.Answer, reason: str
) -> None:
    provider.answers.append(answer)
    await scene.report()
    async with fetching(scene, patience=5.0, idle=30.0):
        await eventually(lambda: _said(scene, reason))
    assert len(provider.asked) == 1


async def test_patience_ends(scene: Scene, provider: AudioProvider) -> None:
    provider.answers.extend([answers.status(500)] * 50)
    await scene.report()
    async with fetching(scene, patience=1.0, max_tries=1):
        await eventually(lambda: _is(scene, "failed"))
    assert await _reason(scene) == "gave up after 1 tries: HTTP 500"
    assert 1 < len(provider.asked) < 20


async def test_another_host_gets_no_credentials(scene: Scene, provider: AudioProvider) -> None:
    target = f"{provider.other_url}/media/x.wav"
    provider.answers.extend([answers.status(307, Location=target), answers.whole])
    await scene.report()
    async with fetching(scene):
        await eventually(lambda: _is(scene, "stored"))
    assert provider.logins[0] is not None
    assert provider.logins[1] is None


async def test_a_second_redirect_is_not_followed(scene: Scene, provider: AudioProvider) -> None:
    again = answers.status(307, Location=f"{provider.other_url}/media/x.wav")
    provider.answers.extend([again, again])
    await scene.report()
    async with fetching(scene):
        await eventually(lambda: _said(scene, "HTTP 307"))
    assert len(provider.asked) == 2


async def test_bad_credentials_wait_for_better_ones(scene: Scene, provider: AudioProvider) -> None:
    await scene.open_channel(version=2, token="revoked")
    await scene.report()
    async with fetching(scene):
        await eventually(lambda: _said(scene, "HTTP 401"))
        assert await scene.rows("SELECT tries, state FROM recordings") == [(0, "due")]
        asked = len(provider.asked)
        await scene.open_channel(version=3)
        await eventually(lambda: _is(scene, "stored"))
    assert len(provider.asked) <= asked + 1  # the held channel was left alone


async def test_after_the_last_try_it_has_failed(scene: Scene, provider: AudioProvider) -> None:
    provider.answers.append(answers.status(404))
    await scene.report()
    async with fetching(scene, max_tries=1):
        await eventually(lambda: _is(scene, "failed"))
    assert await scene.facts() == ["recording.failed.v1"]
    assert await _reason(scene) == "gave up after 1 tries: HTTP 404"


@pytest.mark.parametrize("answer", [answers.whole, answers.status(410)])
async def test_what_can_never_be_had_fails_at_once(
    scene: Scene, provider: AudioProvider, answer: answers.Answer
) -> None:
    provider.answers.append(answer)
    await scene.report()
    async with fetching(scene, max_bytes=1000):
        await eventually(lambda: _is(scene, "failed"))
    assert scene.files() == []
    assert await scene.facts() == ["recording.failed.v1"]


async def test_nothing_recorded_is_said_at_once(scene: Scene) -> None:
    sid = await scene.report(status="absent")
    await scene.report(sid, status="absent")
    await scene.report(status="in-progress")
    assert await scene.states() == {"failed": 1}
    assert await scene.facts() == ["recording.failed.v1"]


@pytest.mark.parametrize(
    "wrong", [{"account": "../AC"}, {"sid": "RE/../../x"}, {"sid": "RE" + "0" * 31}]
)
async def test_ids_of_another_shape_are_refused(scene: Scene, wrong: dict[str, str]) -> None:
    with pytest.raises(Refuse):
        await scene.report(wrong.get("sid"), **{k: v for k, v in wrong.items() if k != "sid"})
    assert await scene.states() == {}


async def test_a_claim_taken_over_is_fenced(scene: Scene) -> None:
    await scene.report()

    async def claim(owner: str) -> list[recordings.Claimed]:
        async with transaction(scene.database) as session:
            return await recordings.claim(session, owner=owner, wanted=5, lease=30)

    (first,) = await claim("first")
    assert await claim("second") == []  # held
    await scene.change("UPDATE recordings SET due_at = clock_timestamp()")
    (second,) = await claim("second")
    assert second.token == first.token + 1
    stored = Outcome("stored", stored=Stored(1, "00", "audio/wav"))
    await finish(scene.database, [(first, stored)], max_tries=9)
    assert await scene.states() == {"fetching": 1}
    await finish(scene.database, [(second, stored)], max_tries=9)
    assert await scene.states() == {"stored": 1}
    assert await scene.facts() == ["recording.stored.v1"]


async def test_a_lease_is_kept_for_as_long_as_it_takes(
    scene: Scene, provider: AudioProvider
) -> None:
    provider.answers.append(provider.stall)
    await scene.report()
    async with fetching(scene, lease=1.0, renew_every=0.2):
        await provider.half_way.wait()
        ((before,),) = await scene.rows("SELECT due_at FROM recordings")
        await eventually(lambda: _renewed(scene, before))
        provider.go_on.set()
        await eventually(lambda: _is(scene, "stored"))
    assert len(provider.asked) == 1


async def _renewed(scene: Scene, before: object) -> bool:
    ((now,),) = await scene.rows("SELECT due_at FROM recordings")
    return bool(now != before)


async def test_at_the_end_of_a_worker_the_recording_goes_back(
    scene: Scene, provider: AudioProvider
) -> None:
    provider.answers.append(provider.stall)
    await scene.report()
    async with fetching(scene, drain=0.1):
        await provider.half_way.wait()
    assert await scene.rows("SELECT state, tries FROM recordings") == [("due", 0)]
    assert scene.files() == []
    async with fetching(scene, owner="worker-2"):
        await eventually(lambda: _is(scene, "stored"))


@pytest.mark.parametrize("same", [True, False])
async def test_what_a_lost_worker_had_stored_counts_if_it_is_whole(
    scene: Scene, storage: RecordingStore, same: bool
) -> None:
    await scene.report()
    async with transaction(scene.database) as session:
        (lost,) = await recordings.claim(session, owner="lost", wanted=1, lease=0)
    key = storage_key(lost.business_id, lost.recording_id, lost.created_at)

    async def body() -> AsyncIterator[bytes]:
        yield AUDIO if same else b"of another time"

    await storage.create(key, body())
    async with fetching(scene, storage=storage):
        if not same:
            await eventually(lambda: _said(scene, "something else"))
            await scene.due_now()
        await eventually(lambda: _is(scene, "stored"))
    assert b"".join([chunk async for chunk in storage.read(key)]) == AUDIO
    assert await scene.facts() == ["recording.stored.v1"]


async def test_a_channel_that_moved_does_not_show_its_token_to_another_account(
    scene: Scene, provider: AudioProvider
) -> None:
    await scene.open_channel(version=2, account="AC" + "1" * 32)
    await scene.report()
    async with fetching(scene):
        await eventually(lambda: _said(scene, "another account"))
    assert provider.asked == []
