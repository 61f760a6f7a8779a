"""A run's audience on its way to jobs: chunks as they arrived, frozen under the cursor's lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asyncpg import UniqueViolationError
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import AudienceContact
from trunkline_common.db.driver import copy_into, fetch

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
# A chunk that becomes jobs at once is only noted; who else brings it finds the note.
_TAKE = text(
    """
INSERT INTO audience_chunks (run_id, chunk, business_id, frozen_at)
SELECT :run_id, chunk, :business_id, clock_timestamp()
  FROM unnest(CAST(:chunks AS integer[])) AS chunk ORDER BY chunk
ON CONFLICT (run_id, chunk) DO NOTHING
RETURNING chunk
"""
)
_PENDING = text(
    """
SELECT chunk, CAST(contacts AS text) FROM audience_chunks
 WHERE run_id = :run_id AND business_id = :business_id AND frozen_at IS NULL
 ORDER BY chunk LIMIT :most
"""
)
# Each is looked up by its key, however large the run is and whether or not anybody analysed it.
_KNOWN = text(
    """
SELECT address FROM unnest(CAST(:addresses AS text[])) AS given (address)
 WHERE EXISTS (SELECT FROM jobs
                WHERE jobs.run_id = :run_id AND jobs.address = given.address OFFSET 0)
"""
)
_REFUSE = text(
    """
INSERT INTO rejects (run_id, business_id, contact_id, chunk, reason)
SELECT :run_id, :business_id, contact_id, chunk, 'duplicate_address'
  FROM unnest(CAST(:contacts AS text[]), CAST(:chunks AS integer[])) AS known (contact_id, chunk)
 ORDER BY contact_id, chunk
ON CONFLICT DO NOTHING
"""
)
_FROZEN = text(
    """
UPDATE audience_chunks SET frozen_at = clock_timestamp(), contacts = NULL
 WHERE run_id = :run_id AND chunk = ANY (CAST(:chunks AS integer[]))
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


_COLUMNS: Final = ("run_id", "seq", "business_id", "contact_id", "address", "zone", "variables")
_CONTACTS: Final = TypeAdapter(tuple[AudienceContact, ...])


@dataclass(frozen=True, slots=True)
class Chunk:
    """A numbered part of an audience."""

    number: int
    contacts: tuple[AudienceContact, ...]


async def lock_audience(session: AsyncSession, run_id: str) -> None:
    """Serialise everybody who adds to this run's audience, before the run itself exists."""
    await session.execute(_LOCK, {"run_id": run_id})


async def keep_chunk(session: AsyncSession, run_id: str, chunk: Chunk, *, business_id: str) -> None:
    """Write a chunk down as it arrived: its run is still on its way."""
    parameters = {
        "run_id": run_id,
        "chunk": chunk.number,
        "business_id": business_id,
        "contacts": _CONTACTS.dump_json(chunk.contacts).decode(),
    }
    await session.execute(_KEEP, parameters)


async def keep_end(session: AsyncSession, run_id: str, *, business_id: str, chunks: int) -> None:
    """Write down how many chunks there will be."""
    parameters = {"run_id": run_id, "business_id": business_id, "chunks": chunks}
    await session.execute(_END, parameters)


async def take_chunks(
    session: AsyncSession, run_id: str, chunks: Sequence[int], *, business_id: str
) -> set[int]:
    """Note chunks that become jobs in this transaction; those that nobody brought before."""
    parameters = {"run_id": run_id, "business_id": business_id, "chunks": list(chunks)}
    return set((await session.execute(_TAKE, parameters)).scalars())


async def pending_chunks(
    session: AsyncSession, run_id: str, *, business_id: str, most: int
) -> list[Chunk]:
    """Chunks that are stored and not yet jobs, in their order, at most so many."""
    parameters = {"run_id": run_id, "business_id": business_id, "most": most}
    rows = await session.execute(_PENDING, parameters)
    return [Chunk(number, _CONTACTS.validate_json(written)) for number, written in rows]


async def drop_pending(session: AsyncSession, run_id: str, *, business_id: str) -> None:
    """Let go of chunks that came too late to become jobs."""
    await session.execute(_DROP, {"run_id": run_id, "business_id": business_id})


async def mark_frozen(session: AsyncSession, run_id: str, chunks: Sequence[int]) -> None:
    """Let go of what was stored of these chunks: they are jobs now."""
    await session.execute(_FROZEN, {"run_id": run_id, "chunks": list(chunks)})


async def freeze(
    session: AsyncSession, run_id: str, chunks: Sequence[Chunk], *, business_id: str, total: int
) -> int:
    """Turn chunks into jobs `total + 1 …`, copied at once; how many. The caller has the cursor.

    Addresses that are in the run already, or come twice, are rejects; the rest get the next
    numbers without a gap, in their order. Hardly any list has somebody who is in the run already,
    so the run's own key is asked first, and only what breaks it is looked up.
    """
    if not chunks:
        return 0
    offered = [(chunk.number, one) for chunk in chunks for one in chunk.contacts]
    whose = (run_id, business_id)
    try:
        async with session.begin_nested():
            return await _copy(session, whose, offered, known=set(), total=total)
    except UniqueViolationError:
        wanted = {"run_id": run_id, "addresses": sorted({one.address for _, one in offered})}
        known = {row[0] for row in await fetch(session, _KNOWN, wanted)}
        return await _copy(session, whose, offered, known=known, total=total)


async def _copy(
    session: AsyncSession,
    whose: tuple[str, str],
    offered: Sequence[tuple[int, AudienceContact]],
    *,
    known: set[str],
    total: int,
) -> int:
    run_id, business_id = whose
    rows: list[tuple[object, ...]] = []
    refused: list[tuple[int, str]] = []
    for chunk, one in offered:
        if one.address in known:
            refused.append((chunk, one.contact_id))
            continue
        known.add(one.address)
        variables = json.dumps(one.variables) if one.variables else None
        seq = total + len(rows) + 1
        rows.append((run_id, seq, business_id, one.contact_id, one.address, one.zone, variables))
    await copy_into(session, "jobs", _COLUMNS, rows)
    if refused:
        parameters = {
            "run_id": run_id,
            "business_id": business_id,
            "chunks": [chunk for chunk, _ in refused],
            "contacts": [contact_id for _, contact_id in refused],
        }
        await session.execute(_REFUSE, parameters)
    return len(rows)


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
