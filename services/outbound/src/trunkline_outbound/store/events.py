"""What was said of attempts, kept as a set under natural keys until it is folded, and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.transaction import wake_after_commit
from trunkline_outbound.domain.calls import CallEvent

FOLD_CALLS = "outbound.fold.calls"  # rung after every commit that kept an event of a call
FOLD_MESSAGES = "outbound.fold.messages"

_KEEP_CALLS = text(
    """
INSERT INTO call_events (attempt_id, provider_id, status, number, business_id, account, duration,
                         answered_by, code, event_id)
SELECT * FROM unnest(
    CAST(:attempts AS text[]), CAST(:provider_ids AS text[]), CAST(:statuses AS text[]),
    CAST(:numbers AS integer[]), CAST(:businesses AS text[]), CAST(:accounts AS text[]),
    CAST(:durations AS integer[]), CAST(:answered_bys AS text[]), CAST(:codes AS text[]),
    CAST(:event_ids AS text[]))
ON CONFLICT DO NOTHING
"""
)
_KEEP_MESSAGES = text(
    """
INSERT INTO message_events (attempt_id, run_id, status, business_id, code, reason, event_id)
SELECT * FROM unnest(
    CAST(:attempts AS text[]), CAST(:runs AS text[]), CAST(:statuses AS text[]),
    CAST(:businesses AS text[]), CAST(:codes AS text[]), CAST(:reasons AS text[]),
    CAST(:event_ids AS text[]))
ON CONFLICT DO NOTHING
"""
)
_UNFOLDED_CALLS = text(
    """
SELECT attempt_id, provider_id, status, number, business_id, account, event_id FROM call_events
 WHERE folded_at IS NULL ORDER BY arrived_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
"""
)
_CALL_SET = text(
    """
SELECT said.attempt_id, said.provider_id, said.status, said.number, said.duration,
       said.answered_by, said.code
  FROM call_events AS said JOIN calls ON calls.attempt_id = said.attempt_id
   AND calls.provider_id = said.provider_id
 WHERE said.attempt_id = ANY (CAST(:attempts AS text[])) AND said.problem IS NULL
"""
)
_FOLDED_CALLS = text(
    """
UPDATE call_events SET folded_at = clock_timestamp(), problem = done.problem
  FROM unnest(CAST(:event_ids AS text[]), CAST(:attempts AS text[]), CAST(:problems AS text[]))
       AS done (event_id, attempt_id, problem)
 WHERE call_events.attempt_id = done.attempt_id AND call_events.event_id = done.event_id
"""
)
# A version that is about to be replaced keeps events without their run.
_UNFOLDED_MESSAGES = text(
    """
SELECT attempt_id, coalesce(run_id, (SELECT max(attempts.run_id) FROM attempts
           WHERE attempts.attempt_id = message_events.attempt_id), '') AS run_id,
       status, business_id, code, reason, event_id
  FROM message_events
 WHERE folded_at IS NULL ORDER BY arrived_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
"""
)
_FOLDED_MESSAGES = text(
    """
UPDATE message_events SET folded_at = clock_timestamp(), problem = done.problem
  FROM unnest(CAST(:event_ids AS text[]), CAST(:attempts AS text[]), CAST(:problems AS text[]))
       AS done (event_id, attempt_id, problem)
 WHERE message_events.attempt_id = done.attempt_id AND message_events.event_id = done.event_id
"""
)


@dataclass(frozen=True, slots=True)
class KeptOfCall:
    """An event to keep, and whose it claims to be."""

    said: CallEvent
    business_id: str
    account: str
    event_id: str


@dataclass(frozen=True, slots=True)
class SaidOfCall:
    """An event that has not been folded yet, and whose it claims to be."""

    attempt_id: str
    provider_id: str
    status: str
    number: int
    business_id: str
    account: str
    event_id: str


@dataclass(frozen=True, slots=True)
class SaidOfMessage:
    """What messaging said of a run's message."""

    attempt_id: str
    run_id: str
    status: str
    business_id: str
    code: str | None
    reason: str | None
    event_id: str


async def keep_call_events(session: AsyncSession, said: Sequence[KeptOfCall]) -> None:
    """Keep what providers said of calls; a repetition changes nothing."""
    heard = [kept.said for kept in said]
    parameters = {
        "attempts": [event.attempt_id for event in heard],
        "provider_ids": [event.provider_id for event in heard],
        "statuses": [event.status for event in heard],
        "numbers": [event.number for event in heard],
        "businesses": [kept.business_id for kept in said],
        "accounts": [kept.account for kept in said],
        "durations": [event.duration for event in heard],
        "answered_bys": [event.answered_by for event in heard],
        "codes": [event.code for event in heard],
        "event_ids": [kept.event_id for kept in said],
    }
    await session.execute(_KEEP_CALLS, parameters)
    wake_after_commit(session, FOLD_CALLS)


async def keep_message_events(session: AsyncSession, said: Sequence[SaidOfMessage]) -> None:
    """Keep what messaging said of messages; a repetition changes nothing."""
    parameters = {
        "attempts": [event.attempt_id for event in said],
        "runs": [event.run_id for event in said],
        "statuses": [event.status for event in said],
        "businesses": [event.business_id for event in said],
        "codes": [event.code for event in said],
        "reasons": [event.reason for event in said],
        "event_ids": [event.event_id for event in said],
    }
    await session.execute(_KEEP_MESSAGES, parameters)
    wake_after_commit(session, FOLD_MESSAGES)


async def lock_unfolded_calls(session: AsyncSession, batch: int) -> list[SaidOfCall]:
    """Take events that nobody has folded yet."""
    return [SaidOfCall(*row) for row in await session.execute(_UNFOLDED_CALLS, {"batch": batch})]


async def call_sets(
    session: AsyncSession, attempt_ids: Sequence[str]
) -> dict[str, list[CallEvent]]:
    """Everything that was ever said of these attempts' calls, by attempt.

    Of a second call that the provider made for one attempt nothing counts: its end is not the end.
    """
    sets: dict[str, list[CallEvent]] = {}
    for row in await session.execute(_CALL_SET, {"attempts": list(attempt_ids)}):
        sets.setdefault(row.attempt_id, []).append(CallEvent(*row))
    return sets


async def mark_calls_folded(
    session: AsyncSession, done: Sequence[tuple[SaidOfCall, str | None]]
) -> None:
    """Note events as folded, or as unusable with the problem."""
    await session.execute(_FOLDED_CALLS, _marks([(e.event_id, e.attempt_id, p) for e, p in done]))


async def lock_unfolded_messages(session: AsyncSession, batch: int) -> list[SaidOfMessage]:
    """Take message events that nobody has folded yet."""
    rows = await session.execute(_UNFOLDED_MESSAGES, {"batch": batch})
    return [SaidOfMessage(*row) for row in rows]


async def mark_messages_folded(
    session: AsyncSession, done: Sequence[tuple[SaidOfMessage, str | None]]
) -> None:
    """Note message events as folded, or as unusable with the problem."""
    marks = _marks([(e.event_id, e.attempt_id, p) for e, p in done])
    await session.execute(_FOLDED_MESSAGES, marks)


def _marks(done: Sequence[tuple[str, str, str | None]]) -> dict[str, list[str | None]]:
    return {
        "event_ids": [event_id for event_id, _, _ in done],
        "attempts": [attempt_id for _, attempt_id, _ in done],
        "problems": [problem for _, _, problem in done],
    }
