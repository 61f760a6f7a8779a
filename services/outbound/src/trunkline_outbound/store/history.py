"""What happened to a job, and why: decisions, attempts, news and its end as lines of one history.

Attempts and ends are derived here from their own rows: sending writes no second row for the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_JOB: Final = text(
    """
SELECT true FROM jobs WHERE business_id = :business_id AND run_id = :run_id AND seq = :seq
"""
)
# `waiting` is what the log of older versions calls a deferral.
_DECISION: Final = "CASE decision WHEN 'waiting' THEN 'deferred' ELSE decision END"
# Rows of one time come in the order in which one leads to the other.
_OF_JOB: Final = text(
    f"""
WITH attempt AS (
    SELECT * FROM attempts
     WHERE business_id = :business_id AND run_id = :run_id AND seq = :seq),
line (at, rank, ident, kind, state, rule, detail, not_before, attempt_id, provider_id, said_by) AS (
    SELECT intent_at, 1, attempt_id, 'attempt', 'intent', NULL, NULL,
           CAST(NULL AS timestamptz), attempt_id, NULL, NULL
      FROM attempt
    UNION ALL
    SELECT resolved_at, 2, attempt_id, 'result', state, nullif(reason, ''), code, NULL, attempt_id,
           provider_id, resolved_by
      FROM attempt WHERE resolved_at IS NOT NULL
    UNION ALL
    SELECT said.arrived_at, 3, md5(concat_ws('|', attempt_id, said.provider_id, status, number)),
           'call', status, said.code, answered_by, NULL, attempt_id, said.provider_id, NULL
      FROM attempt JOIN call_events AS said USING (attempt_id)
     WHERE said.business_id = :business_id AND said.problem IS NULL
    UNION ALL
    SELECT said.arrived_at, 3, md5(concat_ws('|', attempt_id, status)),
           'message', status, said.reason, said.code, NULL, attempt_id, NULL, NULL
      FROM attempt JOIN message_events AS said USING (attempt_id)
     WHERE said.business_id = :business_id AND said.problem IS NULL
    UNION ALL
    SELECT note.arrived_at, 3, md5(concat_ws('|', attempt_id, note.provider_id, kind, place)),
           kind, note.state, NULL, detail, NULL, attempt_id, note.provider_id, NULL
      FROM attempt JOIN call_notes AS note USING (attempt_id)
     WHERE note.business_id = :business_id
    UNION ALL
    SELECT decided_at, 4, lpad(CAST(position AS text), 19, '0'), 'decision', {_DECISION}, rule,
           detail, not_before, NULL, NULL, NULL
      FROM decisions WHERE business_id = :business_id AND run_id = :run_id AND seq = :seq
    UNION ALL
    SELECT changed_at, 5, '', 'end', state, reason, outcome, NULL, open_attempt, NULL, NULL
      FROM jobs
     WHERE business_id = :business_id AND run_id = :run_id AND seq = :seq
       AND state IN ('done', 'skipped', 'cancelled', 'exhausted', 'unknown'))
SELECT concat_ws('.', micros, rank, ident) AS position, seq, at, kind, state, rule, detail,
       not_before, attempt_id, provider_id, said_by
  FROM (SELECT line.*, CAST(:seq AS bigint) AS seq,
               CAST(extract(epoch FROM at) * 1000000 AS bigint) AS micros FROM line) AS line
 WHERE (micros, rank, ident COLLATE "C")
     > (CAST(:micros AS bigint), CAST(:rank AS integer), CAST(:ident AS text))
 ORDER BY micros, rank, ident COLLATE "C" LIMIT :limit
"""  # noqa: S608
)
_OF_RUN: Final = text(
    f"""
SELECT CAST(position AS text) AS position, seq, decided_at AS at, 'decision' AS kind,
       {_DECISION} AS state, rule, detail, not_before, NULL AS attempt_id, NULL AS provider_id,
       NULL AS said_by
  FROM decisions
 WHERE business_id = :business_id AND run_id = :run_id AND position < :before
 ORDER BY position DESC LIMIT :limit
"""  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `rule` says why, `detail` is its code, outcome or attempt; no line has a number."""

    position: str
    seq: int
    at: datetime
    kind: str
    state: str
    rule: str | None
    detail: str | None
    not_before: datetime | None
    attempt_id: str | None
    provider_id: str | None
    said_by: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a job's history a page begins: behind the line with this key."""

    micros: int = 0
    rank: int = 0
    ident: str = ""


async def of_job(
    session: AsyncSession, business_id: str, run_id: str, seq: int, *, after: Place, limit: int
) -> Sequence[Line] | None:
    """A job's lines in the order of time; None where the business has no such job."""
    job = {"business_id": business_id, "run_id": run_id, "seq": seq}
    if (await session.execute(_JOB, job)).first() is None:
        return None
    place = {"micros": after.micros, "rank": after.rank, "ident": after.ident}
    rows = await session.execute(_OF_JOB, {**job, **place, "limit": limit})
    return [Line(*row) for row in rows]


async def of_run(
    session: AsyncSession, business_id: str, run_id: str, *, before: int, limit: int
) -> Sequence[Line]:
    """A run's decisions, newest first."""
    run = {"business_id": business_id, "run_id": run_id}
    rows = await session.execute(_OF_RUN, {**run, "before": before, "limit": limit})
    return [Line(*row) for row in rows]
