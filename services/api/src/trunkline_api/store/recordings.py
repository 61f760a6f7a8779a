"""The read model of recordings: what the recordings service said of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a call."""

    id: str
    provider_recording_id: str
    state: str
    storage_key: str | None
    size: int | None
    sha256: str | None
    content_type: str | None
    duration: int | None
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFact:
    """What one fact says of a recording."""

    id: str
    business_id: str
    attempt_id: str
    provider_call_id: str
    provider_recording_id: str
    state: Literal["stored", "failed"]
    storage_key: str | None = None
    size: int | None = None
    sha256: str | None = None
    content_type: str | None = None
    duration: int | None = None
    reason: str | None = None


_COLUMNS: Final = (
    "id, provider_recording_id, state, storage_key, size, sha256, content_type, duration, reason,"
    " created_at"
)
# A stored recording stays stored: of the two states "stored" is also the greater word. What it is
# said to be comes whole from the greatest fact, so that order does not matter.
_FOLD: Final = text(
    """
INSERT INTO recordings AS kept (id, business_id, attempt_id, provider_call_id,
       provider_recording_id, state, storage_key, size, sha256, content_type, duration, reason)
VALUES (:id, :business_id, :attempt_id, :provider_call_id, :provider_recording_id, :state,
       :storage_key, :size, :sha256, :content_type, :duration, :reason)
ON CONFLICT (id) DO UPDATE
   SET (state, storage_key, size, sha256, content_type, duration, reason) = (
           SELECT state, storage_key, size, sha256, content_type, duration, reason
             FROM (VALUES (kept.state, kept.storage_key, kept.size, kept.sha256,
                           kept.content_type, kept.duration, kept.reason),
                          (excluded.state, excluded.storage_key, excluded.size, excluded.sha256,
                           excluded.content_type, excluded.duration, excluded.reason))
                  AS said (state, storage_key, size, sha256, content_type, duration, reason)
            ORDER BY state DESC, storage_key DESC NULLS LAST, size DESC NULLS LAST,
                     sha256 DESC NULLS LAST, content_type DESC NULLS LAST,
                     duration DESC NULLS LAST, reason DESC NULLS LAST LIMIT 1)
 WHERE kept.business_id = excluded.business_id
RETURNING id
"""
)
_OF_ATTEMPT: Final = text(
    f"""
SELECT {_COLUMNS} FROM recordings
 WHERE business_id = :business_id AND attempt_id = :attempt_id ORDER BY id
"""  # noqa: S608
)


async def fold(session: AsyncSession, fact: RecordingFact) -> bool:
    """Add a fact to its recording; False where it belongs to another business."""
    return (await session.execute(_FOLD, asdict(fact))).first() is not None


async def of_attempt(session: AsyncSession, business_id: str, attempt_id: str) -> list[Recording]:
    """The recordings of one attempt's call."""
    values = {"business_id": business_id, "attempt_id": attempt_id}
    return every(await session.execute(_OF_ATTEMPT, values), Recording)
