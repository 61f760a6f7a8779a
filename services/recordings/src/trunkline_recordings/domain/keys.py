"""Where a recording lies in our storage: built by one function, never parsed."""

from __future__ import annotations

from datetime import UTC, datetime

from trunkline_common.ids import BUSINESS, RECORDING, is_id

CONTENT_SUFFIX = "wav"


def storage_key(business_id: str, recording_id: str, reported_at: datetime) -> str:
    """The key of a recording; the month is the one in which we first heard of it, in UTC."""
    if not is_id(business_id, BUSINESS) or not is_id(recording_id, RECORDING):
        raise ValueError("a key is made of ids only")
    month = reported_at.astimezone(UTC)
    return f"{business_id}/{month:%Y}/{month:%m}/{recording_id}.{CONTENT_SUFFIX}"
