"""Who of the audience that leaves for outbound lacks what the run's texts need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.personal import Lacking

# As `personal.known_values` has it: a field of the contact, else its variable; empty is missing.
_LACK: Final = """
CROSS JOIN LATERAL (
    SELECT array_agg(wanted ORDER BY wanted) AS missing
      FROM unnest(CAST(:required AS text[])) AS wanted
     WHERE coalesce(nullif(CASE wanted WHEN 'name' THEN name WHEN 'first_name' THEN first_name
                                       WHEN 'last_name' THEN last_name END, ''),
                    variables ->> wanted, '') = '') AS lack
"""
_ON_LIST: Final = text(
    f"""
SELECT contacts.id AS contact_id, position, missing, count(*) OVER () AS total
  FROM audience_members JOIN contacts ON contacts.id = contact_id {_LACK}
 WHERE list_id = :list_id AND audience_members.business_id = :business_id
   AND contacts.business_id = :business_id AND missing IS NOT NULL
 ORDER BY position LIMIT :limit
"""  # noqa: S608
)
# The same people as `feeds` takes once the run has a feed; before that, whoever is there now.
_OF_BUSINESS: Final = text(
    f"""
SELECT contacts.id AS contact_id, 0 AS position, missing, count(*) OVER () AS total
  FROM contacts {_LACK}
 WHERE business_id = :business_id AND missing IS NOT NULL
   AND (created_at < clock_timestamp() - interval '1 hour' OR added_by IS NULL
        OR pg_visible_in_snapshot(added_by, coalesce(
               (SELECT snapshot FROM audience_feeds WHERE run_id = :run_id),
               pg_current_snapshot())))
 ORDER BY contacts.id LIMIT :limit
"""  # noqa: S608
)


async def lacking(
    session: AsyncSession,
    business_id: str,
    run_id: str,
    list_id: str | None,
    *,
    required: Sequence[str],
    limit: int,
) -> tuple[int, list[Lacking]]:
    """How many lack a value for one of the names, and the first of them."""
    values = {
        "business_id": business_id,
        "run_id": run_id,
        "list_id": list_id,
        "required": list(required),
        "limit": limit,
    }
    found = await session.execute(_OF_BUSINESS if list_id is None else _ON_LIST, values)
    rows = found.all()
    total = rows[0].total if rows else 0
    return total, [Lacking(row.contact_id, row.position, row.missing) for row in rows]
