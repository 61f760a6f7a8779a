"""Contacts that are added to a run: which pieces of each addition have become jobs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_OPEN = text(
    """
INSERT INTO additions (control_id, run_id, business_id)
VALUES (:control_id, :run_id, :business_id)
ON CONFLICT (control_id) DO NOTHING
"""
)
_GET = text(
    """
SELECT control_id, run_id, business_id, added, rejects, ended_at IS NULL AS is_open
  FROM additions WHERE control_id = :control_id
"""
)
_PIECE = text(
    """
INSERT INTO addition_pieces (control_id, piece, run_id) VALUES (:control_id, :piece, :run_id)
ON CONFLICT DO NOTHING RETURNING piece
"""
)
_COUNT = text(
    """
UPDATE additions SET added = added + :added, rejects = rejects + :rejects,
       pieces = coalesce(:pieces, pieces), moved_at = clock_timestamp(), alarmed_at = NULL
 WHERE control_id = :control_id
RETURNING pieces = (SELECT count(*) FROM addition_pieces WHERE control_id = :control_id)
          AS is_whole
"""
)
_END = text("UPDATE additions SET ended_at = clock_timestamp() WHERE control_id = :control_id")
_ANY_OPEN = text(
    "SELECT EXISTS (SELECT FROM additions WHERE run_id = :run_id AND ended_at IS NULL)"
)
# Chunks of the audience that a run began with are numbered from one up, those added from one down.
_NEXT_CHUNK = text("SELECT least(min(chunk), 0) - 1 FROM audience_chunks WHERE run_id = :run_id")


@dataclass(frozen=True, slots=True)
class Addition:
    """One addition; its run's cursor is locked by the caller."""

    control_id: str
    run_id: str
    business_id: str
    added: int
    rejects: int
    is_open: bool


async def open_one(
    session: AsyncSession, control_id: str, run_id: str, *, business_id: str
) -> Addition:
    """The addition as it stands; its first piece opens it."""
    parameters = {"control_id": control_id, "run_id": run_id, "business_id": business_id}
    await session.execute(_OPEN, parameters)
    return await get(session, control_id)


async def get(session: AsyncSession, control_id: str) -> Addition:
    """The addition as it stands."""
    return Addition(*(await session.execute(_GET, {"control_id": control_id})).one())


async def take_piece(session: AsyncSession, addition: Addition, piece: int) -> bool:
    """Note that a piece has come; False where it had already."""
    parameters = {
        "control_id": addition.control_id,
        "run_id": addition.run_id,
        "piece": piece,
    }
    return (await session.execute(_PIECE, parameters)).first() is not None


async def next_chunk(session: AsyncSession, run_id: str) -> int:
    """The number under which the contacts of a piece are frozen."""
    return int((await session.execute(_NEXT_CHUNK, {"run_id": run_id})).scalar() or -1)


async def count(
    session: AsyncSession, control_id: str, *, added: int, rejects: int, pieces: int | None
) -> bool:
    """Count a piece; whether the addition is whole with it."""
    parameters = {"control_id": control_id, "added": added, "rejects": rejects, "pieces": pieces}
    return bool((await session.execute(_COUNT, parameters)).scalar())


async def end(session: AsyncSession, control_id: str) -> None:
    """Nothing more of it becomes jobs."""
    await session.execute(_END, {"control_id": control_id})


async def any_open(session: AsyncSession, run_id: str) -> bool:
    """Whether contacts are on their way to this run; its cursor is locked by the caller."""
    return bool((await session.execute(_ANY_OPEN, {"run_id": run_id})).scalar())
