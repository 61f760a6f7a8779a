"""Whose run an attempt is of, for whoever was told of the attempt alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# What was sent has a slot until it is over, and what was accepted has a call from then on: small
# tables with one key each. Only of what was given up neither is there; that is looked for in every
# month.
_RUNS = text(
    """
SELECT told.attempt_id, coalesce(slots.run_id, calls.run_id,
           (SELECT max(run_id) FROM attempts
             WHERE attempts.attempt_id = told.attempt_id)) AS run_id
  FROM unnest(CAST(:attempts AS text[])) AS told (attempt_id)
  LEFT JOIN slots ON slots.attempt_id = told.attempt_id
  LEFT JOIN calls ON calls.attempt_id = told.attempt_id
"""
)


async def runs_of(session: AsyncSession, attempt_ids: Sequence[str]) -> Collection[str]:
    """The runs of these attempts; of unknown ones there is none."""
    rows = await session.execute(_RUNS, {"attempts": list(attempt_ids)})
    return {row.run_id for row in rows if row.run_id is not None}
