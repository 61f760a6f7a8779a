"""Files that calls play: kept by what they are, fetched at an address that only we make."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from tests.integration.api.attempts import Attempt
from tests.integration.api.conftest import PUBLIC_URL, SECRET, Tenant

from trunkline_api import media
from trunkline_api.domain.media import MOST_BYTES, audio_type, expiry

MP3 = b"ID3\x04" + b"\x00" * 400
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\x00" * 400


async def upload(tenant: Tenant, data: bytes, kind: str = "audio/mpeg") -> httpx.Response:
    headers = {**tenant.headers, "Content-Type": kind}
    return await tenant.http.post(
        "/v1/media", content=data, headers=headers, params={"name": "jingle"}
    )


def playing(media_id: str) -> dict[str, Any]:
    return {"steps": [{"do": "play", "media_id": media_id}]}


@pytest.mark.parametrize(
    ("data", "kind"),
    [(MP3, "audio/mpeg"), (WAV, "audio/wav"), (b"\xff\xfb\x90\x00" + MP3, "audio/mpeg")],
    ids=["tagged", "wav", "frames"],
)
async def test_a_call_plays_what_was_uploaded(tenant: Tenant, data: bytes, kind: str) -> None:
    made = (await upload(tenant, data, "application/whatever")).json()
    assert (made["content_type"], made["size"], made["name"]) == (kind, len(data), "jingle")
    assert made["sha256"] == hashlib.sha256(data).hexdigest()
    assert (await tenant.get(f"/v1/media/{made['id']}")).json() == made
    assert (await tenant.get("/v1/media")).json()["data"] == [made]

    channel = await tenant.voice_channel()
    run = await tenant.draft(channel, {"all": True}, content=playing(made["id"]))
    attempt = Attempt(tenant.http, channel, run.json()["id"])
    document = (await attempt.say("twiml", {"CallSid": "CA1"})).text
    [play] = list(ET.fromstring(document))  # noqa: S314  # our own answer
    assert play.tag == "Play"
    assert (play.text or "").startswith(PUBLIC_URL + "/media/")
    fetched = await tenant.http.get((play.text or "").removeprefix(PUBLIC_URL))
    assert (fetched.status_code, fetched.content) == (200, data)
    assert fetched.headers["content-type"] == kind


async def test_only_our_addresses_work_and_only_until_they_end(
    tenant: Tenant, other: Tenant
) -> None:
    made = (await upload(tenant, MP3)).json()["id"]
    now = int(datetime.now(UTC).timestamp())

    def path(business_id: str, secret: str = SECRET, until: int = now + 60) -> str:
        return media.address("", secret, business_id, made, expires=until)

    good = path(tenant.id)
    assert (await tenant.http.get(good)).status_code == 200
    for bad in (
        path(tenant.id, secret="another"),
        path(tenant.id, until=now - 1),
        path(other.id),
        good.replace(f"/{now + 60}/", f"/{now + 61}/"),
        good[:-1],
    ):
        assert (await tenant.http.get(bad)).status_code == 404


@pytest.mark.parametrize("data", [b"", b"<script>", b"RIFF....AVI ", b"\xff\xd8\xff\xe0"])
async def test_what_is_no_audio_is_refused(tenant: Tenant, data: bytes) -> None:
    answer = await upload(tenant, data, "audio/mpeg")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:trunkline:problem:media-not-audio"
    assert (await tenant.get("/v1/media")).json()["data"] == []


async def test_what_is_too_large_is_refused(tenant: Tenant) -> None:
    assert (await upload(tenant, MP3 + b"\x00" * MOST_BYTES)).status_code == 413


async def test_a_run_plays_no_file_of_another_business(tenant: Tenant, other: Tenant) -> None:
    theirs = (await upload(other, MP3)).json()["id"]
    assert (await tenant.get(f"/v1/media/{theirs}")).status_code == 404
    channel = await tenant.voice_channel()
    answer = await tenant.draft(channel, {"all": True}, content=playing(theirs))
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == ["#/content/steps/0/media_id"]


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_addresses_of_a_day_are_alike_and_hold_for_a_day(hour: int) -> None:
    now = datetime(2026, 11, 24, hour, 59, 59, tzinfo=UTC)
    assert expiry(now) == int(datetime(2026, 11, 26, tzinfo=UTC).timestamp())
    assert expiry(now) - now.timestamp() > 86_400


def test_layers_that_are_no_mp3_are_told() -> None:
    assert audio_type(b"\xff\xf1\x50\x80") is None  # AAC
    assert audio_type(b"ID") is None
