"""Recordings: taken in, claimed, kept, finished. Finishing compares the claim's token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RecordingReported
from trunkline_common.contracts.envelope import Envelope
from trunkline_common.db.transaction import wake_after_commit
from trunkline_recordings.domain.outcomes import Step, Stored

DUE = "recordings.due"  # rung when a recording may be fetched

_INSERT = text(
    """
INSERT INTO recordings (recording_id, business_id, channel_id, account, provider_recording_id,
                        provider_call_id, attempt_id, duration, channels, state, reason, ended_at,
                        correlation_id, causation_id, traceparent)
VALUES (:recording_id, :business_id, :channel_id, :account, :provider_recording_id,
        :provider_call_id, :attempt_id, :duration, :channels, :state, :reason,
        CASE WHEN :state = 'failed' THEN clock_timestamp() END, :correlation_id, :causation_id,
        :traceparent)
ON CONFLICT (account, provider_recording_id) DO NOTHING
RETURNING recording_id
"""
)
# In turn over the channels, so that one business's backlog does not hold another's up. What a lost
# worker had is due again when its lease ends: new work and take-overs are one query.
_CLAIM = text(
    """
WITH turn AS (
    SELECT picked.recording_id, picked.turn, picked.due_at
      FROM channels
     CROSS JOIN LATERAL (
           SELECT recording_id, due_at, row_number() OVER (ORDER BY due_at) AS turn
             FROM (SELECT recording_id, due_at FROM recordings
                    WHERE channel_id = channels.channel_id AND state IN ('due', 'fetching')
                      AND business_id = channels.business_id AND due_at <= clock_timestamp()
                    ORDER BY due_at LIMIT :wanted) AS first) AS picked
     WHERE channels.held_until <= clock_timestamp()
), due AS (
    SELECT recordings.recording_id FROM recordings JOIN turn USING (recording_id)
     WHERE recordings.state IN ('due', 'fetching') AND recordings.due_at <= clock_timestamp()
     ORDER BY turn.turn, turn.due_at LIMIT :wanted
       FOR NO KEY UPDATE OF recordings SKIP LOCKED
)
UPDATE recordings
   SET state = 'fetching', owner = :owner, token = token + 1, tries = tries + 1,
       due_at = clock_timestamp() + make_interval(secs => :lease)
  FROM due, channels
 WHERE recordings.recording_id = due.recording_id
   AND channels.channel_id = recordings.channel_id
RETURNING recordings.recording_id, recordings.business_id, recordings.channel_id,
          recordings.account, recordings.provider_recording_id, recordings.channels,
          recordings.token, recordings.tries, recordings.created_at, recordings.correlation_id,
          recordings.traceparent, channels.version, channels.account AS channel_account,
          channels.key_id, channels.sealed
"""
)
_RENEW = text(
    """
UPDATE recordings SET due_at = clock_timestamp() + make_interval(secs => :lease)
  FROM unnest(CAST(:ids AS text[]), CAST(:tokens AS bigint[])) AS held (recording_id, token)
 WHERE recordings.recording_id = held.recording_id AND recordings.token = held.token
   AND state = 'fetching'
RETURNING recordings.recording_id
"""
)
_FINISH = text(
    """
UPDATE recordings
   SET state = step.state, owner = NULL, reason = step.reason,
       due_at = clock_timestamp() + make_interval(secs => step.due_in),
       tries = tries - step.uncounted,
       storage_key = step.storage_key, size = step.size, sha256 = step.sha256,
       content_type = step.content_type,
       ended_at = CASE WHEN step.state <> 'due' THEN clock_timestamp() END
  FROM unnest(CAST(:ids AS text[]), CAST(:tokens AS bigint[]), CAST(:states AS text[]),
              CAST(:reasons AS text[]), CAST(:due_in AS double precision[]),
              CAST(:uncounted AS integer[]), CAST(:keys AS text[]), CAST(:sizes AS bigint[]),
              CAST(:sums AS text[]), CAST(:types AS text[]))
       AS step (recording_id, token, state, reason, due_in, uncounted, storage_key, size, sha256,
                content_type)
 WHERE recordings.recording_id = step.recording_id AND recordings.token = step.token
   AND recordings.state = 'fetching'
RETURNING recordings.recording_id, business_id, recordings.state, provider_recording_id,
          provider_call_id, attempt_id, duration, recordings.storage_key, recordings.size,
          recordings.sha256, recordings.content_type, recordings.reason, correlation_id,
          causation_id, traceparent
"""
)
# Hops from channel to channel over the index, however many recordings each of them has.
_HOMELESS = text(
    """
WITH RECURSIVE named AS (
    (SELECT channel_id FROM recordings WHERE state IN ('due', 'fetching')
      ORDER BY channel_id LIMIT 1)
    UNION ALL
    SELECT (SELECT recordings.channel_id FROM recordings
             WHERE state IN ('due', 'fetching') AND recordings.channel_id > named.channel_id
             ORDER BY recordings.channel_id LIMIT 1)
      FROM named WHERE named.channel_id IS NOT NULL
), homeless AS (
    SELECT recording_id FROM recordings
     WHERE state = 'due'
       AND channel_id IN (SELECT channel_id FROM named WHERE channel_id IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM channels
                        WHERE channels.channel_id = recordings.channel_id
                          AND channels.business_id = recordings.business_id)
       AND created_at < clock_timestamp() - make_interval(secs => :patience)
     ORDER BY recording_id LIMIT :batch
       FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE recordings SET state = 'failed', reason = :reason, ended_at = clock_timestamp()
  FROM homeless WHERE recordings.recording_id = homeless.recording_id
RETURNING recordings.recording_id, business_id, recordings.state, provider_recording_id,
          provider_call_id, attempt_id, duration, recordings.storage_key, recordings.size,
          recordings.sha256, recordings.content_type, recordings.reason, correlation_id,
          causation_id, traceparent
"""
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A recording in hand, with the credentials of its channel. The token goes up each time."""

    recording_id: str
    business_id: str
    channel_id: str
    account: str
    provider_recording_id: str
    channels: int | None
    token: int
    tries: int
    created_at: datetime
    correlation_id: str
    traceparent: str | None
    version: int
    channel_account: str
    key_id: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """One claim's end, to be written if it is still ours."""

    claimed: Claimed
    step: Step
    storage_key: str | None = None
    stored: Stored | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording as it stands after its state was written."""

    recording_id: str
    business_id: str
    state: str
    provider_recording_id: str
    provider_call_id: str
    attempt_id: str
    duration: int | None
    storage_key: str | None
    size: int | None
    sha256: str | None
    content_type: str | None
    reason: str | None
    correlation_id: str
    causation_id: str | None
    traceparent: str | None


async def insert(
    session: AsyncSession,
    envelope: Envelope[RecordingReported],
    *,
    recording_id: str,
    failure: str | None = None,
) -> bool:
    """Take a recording in, as failed if there is nothing to fetch; whether it was new."""
    parameters = envelope.event.model_dump(exclude={"status", "reported_at"}) | {
        "recording_id": recording_id,
        "business_id": envelope.business_id,
        "state": "due" if failure is None else "failed",
        "reason": failure,
        "correlation_id": envelope.correlation_id,
        "causation_id": envelope.id,
        "traceparent": envelope.traceparent,
    }
    wake_after_commit(session, DUE)
    return (await session.execute(_INSERT, parameters)).first() is not None


async def claim(session: AsyncSession, *, owner: str, wanted: int, lease: float) -> list[Claimed]:
    """Take due recordings, and those of workers whose lease has run out."""
    parameters = {"owner": owner, "wanted": wanted, "lease": lease}
    return [Claimed(*row) for row in await session.execute(_CLAIM, parameters)]


async def renew(session: AsyncSession, tokens: dict[str, int], *, lease: float) -> set[str]:
    """Keep claims for another lease; the recordings that are still ours."""
    parameters = {
        "ids": sorted(tokens),
        "tokens": [tokens[recording_id] for recording_id in sorted(tokens)],
        "lease": lease,
    }
    return set((await session.execute(_RENEW, parameters)).scalars())


async def finish(session: AsyncSession, ends: Sequence[Finished]) -> list[Kept]:
    """Write the ends of claims; of a claim that somebody else has taken over, nothing."""
    ordered = sorted(ends, key=lambda end: end.claimed.recording_id)
    rows = await session.execute(
        _FINISH,
        {
            "ids": [end.claimed.recording_id for end in ordered],
            "tokens": [end.claimed.token for end in ordered],
            "states": [end.step.state for end in ordered],
            "reasons": [end.step.reason for end in ordered],
            "due_in": [end.step.due_in for end in ordered],
            "uncounted": [0 if end.step.counts else 1 for end in ordered],
            "keys": [end.storage_key for end in ordered],
            "sizes": [end.stored.size if end.stored else None for end in ordered],
            "sums": [end.stored.sha256 if end.stored else None for end in ordered],
            "types": [end.stored.content_type if end.stored else None for end in ordered],
        },
    )
    return [Kept(*row) for row in rows]


async def fail_homeless(
    session: AsyncSession, *, patience: float, reason: str, batch: int = 500
) -> list[Kept]:
    """Give up on recordings of channels that nobody ever told of."""
    parameters = {"patience": patience, "reason": reason, "batch": batch}
    return [Kept(*row) for row in await session.execute(_HOMELESS, parameters)]
