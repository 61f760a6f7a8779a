"""Size and checksum of what passes by: too short, too long, or right."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from trunkline_recordings.gateways.audio import Audio, NoAudio
from trunkline_recordings.transfer import Sums


async def _chunks() -> AsyncIterator[bytes]:
    yield b"RIFF"
    yield b"1234"


def _sums(length: int | None, *, limit: int = 100) -> Sums:
    return Sums(Audio("audio/wav", length, _chunks()), limit=limit)


@pytest.mark.parametrize("length", [8, None])
async def test_what_is_right_passes(length: int | None) -> None:
    sums = _sums(length)
    assert b"".join([chunk async for chunk in sums.passing()]) == b"RIFF1234"
    assert (sums.stored().size, sums.stored().content_type) == (8, "audio/wav")
    assert sums.stored().sha256 == hashlib.sha256(b"RIFF1234").hexdigest()


@pytest.mark.parametrize(
    ("length", "limit", "kind"),
    [(9, 100, "later"), (7, 100, "later"), (None, 7, "failed"), (8, 7, "failed")],
)
async def test_what_is_not_raises_before_its_end(length: int | None, limit: int, kind: str) -> None:
    with pytest.raises(NoAudio) as refused:
        async for _ in _sums(length, limit=limit).passing():
            pass
    assert refused.value.outcome.kind == kind
