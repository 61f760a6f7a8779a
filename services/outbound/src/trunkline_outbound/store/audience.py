"""A run's audience on its way to jobs: chunks as they arrived, frozen under the cursor's lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunAudienceAdded

# Whoever stores a chunk and whoever inserts its run must see each other, in either order.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:run_id, 7))")
_KEEP = text(
    """
INSERT INTO audience_chunks (run_id, chunk, business_id, contacts)
VALUES (:run_id, :chunk, :business_id, CAST(:contacts AS jsonb))
ON CONFLICT (run_id, chunk) DO NOTHING
"""
)
_END = text(
    """
INSERT INTO audience_ends (run_id, business_id, chunks) VALUES (:run_id, :business_id, :chunks)
ON CONFLICT (run_id) DO NOTHING
"""
)
_PENDING = text(
    """
SELECT chunk FROM audience_chunks
 WHERE run_id = :run_id AND business_id = :business_id AND frozen_at IS NULL ORDER BY chunk
"""
)
# Addresses already in the run, and repetitions inside the chunk, are rejects; the rest get the
# next numbers without a gap.
_FREEZE = text(
    """
WITH incoming AS (
    SELECT c.contact_id, c.address, c.zone, c.variables, c.ord,
           row_number() OVER (PARTITION BY c.address ORDER BY c.ord) AS nth
      FROM audience_chunks AS chunk,
           LATERAL ROWS FROM (jsonb_to_recordset(chunk.contacts) AS (
               contact_id text, address text, zone text, variables jsonb)) WITH ORDINALITY
               AS c (contact_id, address, zone, variables, ord)
     WHERE chunk.run_id = :run_id AND chunk.chunk = :chunk
), judged AS (
    SELECT incoming.*, nth > 1 OR EXISTS (
               SELECT FROM jobs WHERE jobs.run_id = :run_id
                  AND jobs.address = incoming.address) AS known
      FROM incoming
), added AS (
    INSERT INTO jobs (run_id, seq, business_id, contact_id, address, zone, variables)
    SELECT :run_id, :total + row_number() OVER (ORDER BY ord), :business_id, contact_id, address,
           zone, CASE WHEN variables <> '{}' THEN variables END
      FROM judged WHERE NOT known
    RETURNING 1
), refused AS (
    INSERT INTO rejects (run_id, business_id, contact_id, chunk, reason)
    SELECT :run_id, :business_id, contact_id, :chunk, 'duplicate_address' FROM judged WHERE known
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM added
"""
)
_FROZEN = text(
    """
UPDATE audience_chunks SET frozen_at = clock_timestamp(), contacts = NULL
 WHERE run_id = :run_id AND chunk = :chunk
"""
)
_DROP = text(
    """
UPDATE audience_chunks SET frozen_at = clock_timestamp(), contacts = NULL
 WHERE run_id = :run_id AND business_id = :business_id AND frozen_at IS NULL
"""
)
_COMPLETE = text(
    """
SELECT finish.chunks = (SELECT count(*) FROM audience_chunks AS chunk
                         WHERE chunk.run_id = :run_id AND chunk.frozen_at IS NOT NULL
                           AND chunk.chunk > 0
                           AND chunk.business_id = finish.business_id)
  FROM audience_ends AS finish WHERE finish.run_id = :run_id
                                 AND finish.business_id = :business_id
"""
)
_REJECTS = text("SELECT count(*) FROM rejects WHERE run_id = :run_id")
_WAITING_RUNS = text("SELECT run_id FROM runs WHERE state IN ('draft', 'ready') ORDER BY run_id")


async def lock_audience(session: AsyncSession, run_id: str) -> None:
    """Serialise everybody who adds to this run's audience, before the run itself exists."""
    await session.execute(_LOCK, {"run_id": run_id})


async def keep_chunk(session: AsyncSession, event: RunAudienceAdded, *, business_id: str) -> None:
    """Write a chunk down as it arrived; the run may still be on its way."""
    contacts: Sequence[dict[str, Any]] = [c.model_dump() for c in event.contacts]
    parameters = {
        "run_id": event.run_id,
        "chunk": event.chunk,
        "business_id": business_id,
        "contacts": json.dumps(contacts),
    }
    await session.execute(_KEEP, parameters)


async def keep_end(session: AsyncSession, run_id: str, *, business_id: str, chunks: int) -> None:
    """Write down how many chunks there will be."""
    parameters = {"run_id": run_id, "business_id": business_id, "chunks": chunks}
    await session.execute(_END, parameters)


async def pending_chunks(session: AsyncSession, run_id: str, *, business_id: str) -> list[int]:
    """Chunks that are stored and not yet jobs."""
    rows = await session.execute(_PENDING, {"run_id": run_id, "business_id": business_id})
    return list(rows.scalars())


async def drop_pending(session: AsyncSession, run_id: str, *, business_id: str) -> None:
    """Let go of chunks that came too late to become jobs."""
    await session.execute(_DROP, {"run_id": run_id, "business_id": business_id})


async def freeze_chunk(
    session: AsyncSession, run_id: str, chunk: int, *, business_id: str, total: int
) -> int:
    """Turn a chunk into jobs `total + 1 …`; how many. The cursor is locked by the caller."""
    parameters = {"run_id": run_id, "chunk": chunk, "business_id": business_id, "total": total}
    added = int((await session.execute(_FREEZE, parameters)).scalar_one())
    await session.execute(_FROZEN, {"run_id": run_id, "chunk": chunk})
    return added


async def is_complete(session: AsyncSession, run_id: str, *, business_id: str) -> bool:
    """Whether every announced chunk has become jobs."""
    rows = await session.execute(_COMPLETE, {"run_id": run_id, "business_id": business_id})
    return bool(rows.scalar())


async def count_rejects(session: AsyncSession, run_id: str) -> int:
    """How many of the audience did not become jobs."""
    return int((await session.execute(_REJECTS, {"run_id": run_id})).scalar_one())


async def runs_not_started(session: AsyncSession) -> list[str]:
    """Runs whose audience is not complete yet, or whose start time has not come."""
    return list((await session.execute(_WAITING_RUNS)).scalars())
