"""How the jobs of a run ended, and whose they are: page by page, in the audience's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_STATE = text("SELECT state FROM runs WHERE run_id = :run_id AND business_id = :business_id")
# A name is that of an end without a request, or of the last request's outcome, however often it
# was tried: `busy` has those whose tries are exhausted, too.
_ENDED = text(
    """
SELECT seq, contact_id FROM jobs
 WHERE run_id = :run_id AND business_id = :business_id AND seq > :after
   AND (state IN ('skipped', 'cancelled', 'exhausted', 'unknown')
            AND state = ANY (CAST(:names AS text[]))
        OR state IN ('done', 'exhausted') AND outcome = ANY (CAST(:names AS text[])))
 ORDER BY seq LIMIT :limit
"""
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that ended in one of the ways that were asked for."""

    seq: int
    contact_id: str


async def state_of(session: AsyncSession, run_id: str, *, business_id: str) -> str | None:
    """The state of a business's run; None where it has no such run."""
    parameters = {"run_id": run_id, "business_id": business_id}
    state: str | None = (await session.execute(_STATE, parameters)).scalar()
    return state


async def ended(
    session: AsyncSession,
    run_id: str,
    names: Sequence[str],
    *,
    business_id: str,
    after: int,
    limit: int,
) -> list[Ended]:
    """Jobs behind `after` that ended so."""
    parameters = {
        "run_id": run_id,
        "business_id": business_id,
        "names": list(names),
        "after": after,
        "limit": limit,
    }
    return [Ended(*row) for row in await session.execute(_ENDED, parameters)]
