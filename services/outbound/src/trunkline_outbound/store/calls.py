"""Calls: what is known of each, folded by rank so that any order of events gives one row."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.domain.calls import CallState
from trunkline_outbound.domain.states import call_outcome
from trunkline_outbound.store.attempts import Attempt

PRICE_AFTER = 600.0  # seconds after the end: a provider needs minutes to rate a call

_OPEN = text(
    """
INSERT INTO calls (call_id, attempt_id, business_id, run_id, seq, account, provider_id, status,
                   rank, lasts)
SELECT call_id, attempt_id, business_id, run_id, seq, account, provider_id, 'queued', 10, lasts
  FROM unnest(CAST(:calls AS text[]), CAST(:attempts AS text[]), CAST(:businesses AS text[]),
              CAST(:runs AS text[]), CAST(:seqs AS bigint[]), CAST(:accounts AS text[]),
              CAST(:provider_ids AS text[]), CAST(:lasts AS integer[]))
       AS new (call_id, attempt_id, business_id, run_id, seq, account, provider_id, lasts)
 ORDER BY call_id
ON CONFLICT (call_id) DO NOTHING
RETURNING attempt_id
"""
)
_ENDED = text(
    """
SELECT calls.run_id, calls.seq, status, answered_by, count(*) AS calls
  FROM calls JOIN unnest(CAST(:runs AS text[]), CAST(:seqs AS bigint[])) AS job (run_id, seq)
    ON calls.run_id = job.run_id AND calls.seq = job.seq
 WHERE ended_at IS NOT NULL GROUP BY 1, 2, 3, 4
"""
)
_PROVIDER_IDS = text(
    """
SELECT attempt_id, provider_id FROM calls WHERE attempt_id = ANY (CAST(:attempts AS text[]))
"""
)
_LOCK = text(
    """
SELECT attempt_id, status, answered, duration, answered_by, code FROM calls
 WHERE attempt_id = ANY (CAST(:attempts AS text[])) ORDER BY call_id FOR NO KEY UPDATE
"""
)
_FOLD = text(
    """
UPDATE calls SET status = fold.status, rank = fold.rank, answered = fold.answered,
       duration = fold.duration, answered_by = fold.answered_by, code = fold.code,
       ended_at = CASE WHEN fold.final THEN coalesce(ended_at, clock_timestamp()) END,
       price_at = CASE WHEN fold.final AND ended_at IS NULL AND price IS NULL
                       THEN clock_timestamp() + make_interval(secs => :price_after)
                       ELSE price_at END
  FROM unnest(CAST(:attempts AS text[]), CAST(:statuses AS text[]), CAST(:ranks AS integer[]),
              CAST(:answereds AS boolean[]), CAST(:durations AS integer[]),
              CAST(:answered_bys AS text[]), CAST(:codes AS text[]), CAST(:finals AS boolean[]))
       AS fold (attempt_id, status, rank, answered, duration, answered_by, code, final)
 WHERE calls.attempt_id = fold.attempt_id
"""
)


async def open_calls(session: AsyncSession, calls: Sequence[tuple[Attempt, str]]) -> set[str]:
    """Insert a row for each accepted call (attempt, provider id); the attempts that are new."""
    parameters = {
        "calls": [a.call_id for a, _ in calls],
        "attempts": [a.attempt_id for a, _ in calls],
        "businesses": [a.business_id for a, _ in calls],
        "runs": [a.run_id for a, _ in calls],
        "seqs": [a.seq for a, _ in calls],
        "accounts": [a.account for a, _ in calls],
        "provider_ids": [provider_id for _, provider_id in calls],
        "lasts": [a.lasts for a, _ in calls],
    }
    return set((await session.execute(_OPEN, parameters)).scalars())


async def ended_outcomes(
    session: AsyncSession, keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], dict[str, int]]:
    """How the calls of these jobs (run, seq) ended so far: outcomes with their numbers."""
    if not keys:
        return {}
    parameters = {"runs": [run_id for run_id, _ in keys], "seqs": [seq for _, seq in keys]}
    ends: dict[tuple[str, int], dict[str, int]] = {}
    for row in await session.execute(_ENDED, parameters):
        ends_of_job = ends.setdefault((row.run_id, row.seq), {})
        outcome = call_outcome(row.status, row.answered_by)
        ends_of_job[outcome] = ends_of_job.get(outcome, 0) + int(row.calls)
    return ends


async def provider_ids(session: AsyncSession, attempt_ids: Sequence[str]) -> dict[str, str]:
    """What the provider calls these attempts' calls."""
    rows = await session.execute(_PROVIDER_IDS, {"attempts": list(attempt_ids)})
    return {row.attempt_id: row.provider_id for row in rows}


async def lock_calls(session: AsyncSession, attempt_ids: Sequence[str]) -> dict[str, CallState]:
    """Lock calls for a fold, by attempt."""
    rows = await session.execute(_LOCK, {"attempts": list(attempt_ids)})
    return {row.attempt_id: CallState(*row) for row in rows}


async def fold(session: AsyncSession, states: Sequence[CallState]) -> None:
    """Write folded states; the rows are locked by the caller."""
    if not states:
        return
    parameters = {
        "attempts": [s.attempt_id for s in states],
        "statuses": [s.status for s in states],
        "ranks": [s.rank for s in states],
        "answereds": [s.answered for s in states],
        "durations": [s.duration for s in states],
        "answered_bys": [s.answered_by for s in states],
        "codes": [s.code for s in states],
        "finals": [s.is_final for s in states],
        "price_after": PRICE_AFTER,
    }
    await session.execute(_FOLD, parameters)
