"""What of a draft's audience would not be reached: who is suppressed, who has a zone of no name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.runs import Run

MOST_SHOWN: Final = 20

_OF_AUDIENCE: Final = """
(CAST(:list_id AS text) IS NULL OR EXISTS (
    SELECT FROM audience_members AS member
     WHERE member.list_id = :list_id AND member.contact_id = contacts.id
       AND member.business_id = :business_id))
"""
_IN_FORCE: Final = """
kept.business_id = :business_id AND kept.lifted_at IS NULL
AND (kept.run_id IS NULL OR kept.run_id = :run_id)
AND (kept.channel IS NULL OR kept.channel = :channel)
"""
# From the suppressions to the contacts, not the other way round: a list is short beside an
# audience. Addresses are a plus and digits, so the colon comes behind whatever begins alike.
_SUPPRESSED: Final = text(
    f"""
WITH fits AS (
    SELECT contacts.id FROM suppressions AS kept
      JOIN contacts ON contacts.business_id = :business_id AND contacts.address = kept.value
     WHERE kept.kind = 'address' AND {_IN_FORCE} AND {_OF_AUDIENCE}
    UNION
    SELECT contacts.id FROM suppressions AS kept
      JOIN contacts ON contacts.business_id = :business_id AND contacts.id = kept.value
     WHERE kept.kind = 'contact' AND {_IN_FORCE} AND {_OF_AUDIENCE}
    UNION
    SELECT contacts.id FROM suppressions AS kept
      JOIN contacts ON contacts.business_id = :business_id AND contacts.address >= kept.value
                   AND contacts.address < kept.value || ':'
     WHERE kept.kind = 'prefix' AND {_IN_FORCE} AND {_OF_AUDIENCE})
SELECT count(*) AS many, (array_agg(id ORDER BY id))[1:{MOST_SHOWN}] AS examples FROM fits
"""  # noqa: S608
)
_NOWHERE: Final = text(
    f"""
SELECT count(*) AS many, (array_agg(id ORDER BY id))[1:{MOST_SHOWN}] AS examples FROM contacts
 WHERE business_id = :business_id AND time_zone IS NOT NULL
   AND NOT time_zone = ANY (CAST(:zones AS text[])) AND {_OF_AUDIENCE}
"""  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Some:
    """How many contacts, and the ids of the first of them."""

    many: int
    examples: tuple[str, ...]


async def suppressed(session: AsyncSession, run: Run) -> Some:
    """Who of the audience would be skipped."""
    values = _values(run) | {"run_id": run.id, "channel": run.channel}
    row = (await session.execute(_SUPPRESSED, values)).one()
    return Some(row.many, tuple(row.examples or ()))


async def nowhere(session: AsyncSession, run: Run, zones: Collection[str]) -> Some:
    """Who of the audience has a zone of their own that is none of these."""
    row = (await session.execute(_NOWHERE, _values(run) | {"zones": sorted(zones)})).one()
    return Some(row.many, tuple(row.examples or ()))


def _values(run: Run) -> dict[str, object]:
    return {"business_id": run.business_id, "list_id": run.list_id}
