"""Files that calls play: what kind a file is, and until when its address holds."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final, Literal

MOST_BYTES: Final = 4 * 1024 * 1024  # four minutes of the best that a telephone can carry

AudioType = Literal["audio/mpeg", "audio/wav"]


def audio_type(data: bytes) -> AudioType | None:
    """What a file is, by its own first bytes; what it calls itself is not believed."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "audio/wav"
    is_frame = len(data) > 3 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2  # MPEG, layer III
    return "audio/mpeg" if data[:3] == b"ID3" or is_frame else None


def expiry(now: datetime) -> int:
    """When an address that is made now ends: at the end of tomorrow.

    All of a day are alike, so that a provider fetches a file once and not once a call; a call that
    begins in the last second still has a day.
    """
    tomorrow = (now + timedelta(days=2)).date()
    return int(datetime.combine(tomorrow, time(), now.tzinfo).timestamp())
