"""Suppressions and those that were lifted. Every change of a business's list is made in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.suppressions import Entry
from trunkline_api.store.rows import every, first
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.contracts.suppressions import SuppressionKind
from trunkline_common.ids import SUPPRESSION, new_id


@dataclass(frozen=True, slots=True)
class Suppression:
    """Who is not called or written to, who said so, and who lifted it if anybody did."""

    id: str
    kind: SuppressionKind
    value: str
    run_id: str | None
    channel: ChannelKind | None
    source: str
    reason: str | None
    evidence: str | None
    version: int
    suppressed_by: str
    suppressed_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None


_COLUMNS: Final = (
    "id, kind, value, run_id, channel, source, reason, evidence, version, suppressed_by,"
    " suppressed_at, lifted_by, lifted_at"
)
_PARAMETERS: Final = {
    "kinds": "kind",
    "values": "value",
    "runs": "run_id",
    "channels": "channel",
    "sources": "source",
    "reasons": "reason",
    "evidences": "evidence",
}
# INVARIANT: versions of one value grow in the order of the commits, because whoever reads the
# highest holds this row until it has written the next.
_LOCK: Final = text("SELECT 1 FROM businesses WHERE id = :business_id FOR NO KEY UPDATE")
_ADD: Final = text(
    """
INSERT INTO suppressions (id, business_id, kind, value, run_id, channel, source, reason, evidence,
                          version, suppressed_by, correlation_id)
SELECT new.id, :business_id, new.kind, new.value, new.run_id, new.channel, new.source, new.reason,
       new.evidence, 1 + coalesce((
           SELECT max(old.version) FROM suppressions AS old
            WHERE old.business_id = :business_id AND old.kind = new.kind
              AND old.value = new.value AND old.run_id IS NOT DISTINCT FROM new.run_id
              AND old.channel IS NOT DISTINCT FROM new.channel), 0), :suppressed_by,
       :correlation_id
  FROM unnest(CAST(:ids AS text[]), CAST(:kinds AS text[]), CAST(:values AS text[]),
              CAST(:runs AS text[]), CAST(:channels AS text[]), CAST(:sources AS text[]),
              CAST(:reasons AS text[]), CAST(:evidences AS text[]))
       AS new (id, kind, value, run_id, channel, source, reason, evidence)
 ORDER BY new.id
ON CONFLICT (business_id, kind, value, coalesce(run_id, ''), coalesce(channel, ''))
      WHERE lifted_at IS NULL DO NOTHING
RETURNING id
"""
)
_IN_FORCE: Final = text(
    f"""
SELECT found.* FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[]),
                           CAST(:runs AS text[]), CAST(:channels AS text[])) WITH ORDINALITY
       AS wanted (kind, value, run_id, channel, place)
 CROSS JOIN LATERAL (
       SELECT {_COLUMNS} FROM suppressions AS kept
        WHERE kept.business_id = :business_id AND kept.kind = wanted.kind
          AND kept.value = wanted.value
          AND coalesce(kept.run_id, '') = coalesce(wanted.run_id, '')
          AND coalesce(kept.channel, '') = coalesce(wanted.channel, '')
          AND kept.lifted_at IS NULL LIMIT 1) AS found
 ORDER BY wanted.place
"""  # noqa: S608
)
_OF_CONTACT: Final = text(
    f"""
SELECT {_COLUMNS} FROM suppressions
 WHERE business_id = :business_id AND kind = 'contact' AND value = :contact_id
   AND run_id IS NULL AND lifted_at IS NULL
 ORDER BY id
"""  # noqa: S608
)
_LIFT: Final = text(
    f"""
UPDATE suppressions SET lifted_by = :lifted_by, lifted_at = clock_timestamp(),
       version = version + 1
 WHERE business_id = :business_id AND id = :id AND lifted_at IS NULL
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_GET: Final = text(
    f"SELECT {_COLUMNS} FROM suppressions WHERE business_id = :business_id AND id = :id"  # noqa: S608
)
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS} FROM suppressions
 WHERE business_id = :business_id AND id < :before AND lifted_at IS NULL
   AND (CAST(:kind AS text) IS NULL OR kind = :kind)
   AND (CAST(:value AS text) IS NULL OR value = :value)
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_KNOWN_RUNS: Final = text(
    """
SELECT id FROM runs WHERE business_id = :business_id AND id = ANY(CAST(:run_ids AS text[]))
"""
)


async def lock(session: AsyncSession, business_id: str) -> None:
    """Change this business's list alone until the transaction ends."""
    await session.execute(_LOCK, {"business_id": business_id})


async def of_contact(session: AsyncSession, business_id: str, contact_id: str) -> list[Suppression]:
    """What is in force for a contact by its id, in every run."""
    values = {"business_id": business_id, "contact_id": contact_id}
    return every(await session.execute(_OF_CONTACT, values), Suppression)


async def add_missing(
    session: AsyncSession, business_id: str, entries: Sequence[Entry], *, by: str, correlation: str
) -> set[str]:
    """Suppress those that are not suppressed yet; the ids of what was added."""
    values = _columns_of(entries, _PARAMETERS) | {
        "business_id": business_id,
        "ids": [new_id(SUPPRESSION) for _ in entries],
        "suppressed_by": by,
        "correlation_id": correlation,
    }
    return set((await session.execute(_ADD, values)).scalars())


async def in_force(
    session: AsyncSession, business_id: str, entries: Sequence[Entry]
) -> list[Suppression]:
    """What is in force for each of the entries, in their order."""
    names = ("kinds", "values", "runs", "channels")
    values = _columns_of(entries, {name: _PARAMETERS[name] for name in names})
    rows = await session.execute(_IN_FORCE, values | {"business_id": business_id})
    return every(rows, Suppression)


def _columns_of(entries: Sequence[Entry], names: dict[str, str]) -> dict[str, Any]:
    return {
        parameter: [getattr(entry, field) for entry in entries]
        for parameter, field in names.items()
    }


async def lift(
    session: AsyncSession, business_id: str, suppression_id: str, *, by: str
) -> Suppression | None:
    """Lift one that is in force; None where there is none."""
    values = {"business_id": business_id, "id": suppression_id, "lifted_by": by}
    return first(await session.execute(_LIFT, values), Suppression)


async def get(session: AsyncSession, business_id: str, suppression_id: str) -> Suppression | None:
    """One suppression of a business, also if it was lifted."""
    values = {"business_id": business_id, "id": suppression_id}
    return first(await session.execute(_GET, values), Suppression)


async def page(
    session: AsyncSession,
    business_id: str,
    *,
    kind: str | None,
    value: str | None,
    before: str,
    limit: int,
) -> list[Suppression]:
    """What is in force, newest first."""
    values = {
        "business_id": business_id,
        "kind": kind,
        "value": value,
        "before": before,
        "limit": limit,
    }
    return every(await session.execute(_PAGE, values), Suppression)


async def known_runs(session: AsyncSession, business_id: str, run_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are runs of this business."""
    values = {"business_id": business_id, "run_ids": list(run_ids)}
    return set((await session.execute(_KNOWN_RUNS, values)).scalars())
