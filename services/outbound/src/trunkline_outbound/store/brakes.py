"""How a run's contacts had ended when it last resumed: its brake counts what came afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.domain.pausing import ends_of
from trunkline_outbound.store import jobs

_BEFORE = text("SELECT ended_before FROM runs WHERE run_id = :run_id")
_ARM = text("UPDATE runs SET ended_before = CAST(:ends AS jsonb) WHERE run_id = :run_id")


async def ended_before(session: AsyncSession, run_id: str) -> Mapping[str, int]:
    """The ends that count no more, by outcome; the run's cursor is locked by the caller."""
    value = (await session.execute(_BEFORE, {"run_id": run_id})).scalar_one()
    known: dict[str, int] = json.loads(value) if isinstance(value, str) else value
    return known


async def arm(session: AsyncSession, run_id: str) -> None:
    """Begin to count anew from here; the run's cursor is locked by the caller."""
    ends = ends_of(*await jobs.count_states(session, run_id))
    await session.execute(_ARM, {"run_id": run_id, "ends": json.dumps(ends)})
