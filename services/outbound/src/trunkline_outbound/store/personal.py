"""What contacts bring with them: values that fill the texts of a run's messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_VALUES: Final = text(
    """
SELECT seq, variables FROM jobs
 WHERE run_id = :run_id AND business_id = :business_id AND seq = ANY (CAST(:seqs AS bigint[]))
   AND variables IS NOT NULL
"""
)


async def values_of(
    session: AsyncSession, business_id: str, run_id: str, seqs: Sequence[int]
) -> dict[int, dict[str, str]]:
    """Values by name for each of these jobs that has any."""
    values = {"business_id": business_id, "run_id": run_id, "seqs": list(seqs)}
    return {row.seq: row.variables for row in await session.execute(_VALUES, values)}
