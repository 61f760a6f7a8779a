"""Facts about recordings, each in its call's own trace and under its correlation."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.recordings import RecordingFailed, RecordingStored
from trunkline_common.db import outbox
from trunkline_common.db.outbox import Fact
from trunkline_recordings.store.recordings import Kept


async def publish_ends(session: AsyncSession, kept: Sequence[Kept]) -> None:
    """Say of every recording that has come to its end how it ended."""
    await outbox.add_all(session, [_fact(each) for each in kept if each.state != "due"])


def _fact(kept: Kept) -> Fact:
    return Fact(
        _stored(kept) if kept.state == "stored" else _failed(kept),
        kept.business_id,
        kept.correlation_id,
        causation_id=kept.causation_id,
        traceparent=kept.traceparent,
    )


def _stored(kept: Kept) -> RecordingStored:
    # The table's own check holds that none of these is missing.
    return RecordingStored(
        recording_id=kept.recording_id,
        provider_recording_id=kept.provider_recording_id,
        provider_call_id=kept.provider_call_id,
        attempt_id=kept.attempt_id,
        storage_key=kept.storage_key or "",
        size=kept.size or 0,
        sha256=kept.sha256 or "",
        content_type=kept.content_type or "",
        duration=kept.duration,
    )


def _failed(kept: Kept) -> RecordingFailed:
    return RecordingFailed(
        recording_id=kept.recording_id,
        provider_recording_id=kept.provider_recording_id,
        provider_call_id=kept.provider_call_id,
        attempt_id=kept.attempt_id,
        reason=kept.reason or "failed",
    )
