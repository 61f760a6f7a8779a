"""Reports of audits: how the provider's list and our calls differ, made in sets, told in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.domain.audits import (
    ATTEMPT_ABSENT,
    ATTEMPT_UNKNOWN,
    INBOUND,
    INBOUND_UNKNOWN,
    MADE_ELSEWHERE,
)
from trunkline_outbound.store.audits import KEY, Audit, Key

_OURS: Final = """
FROM calls WHERE calls.business_id = :business_id AND calls.account = :account
   AND calls.dialled_at >= CAST(:day AS date) AND calls.dialled_at < CAST(:day AS date) + 1
"""
_LISTED: Final = """
FROM audit_listed AS listed WHERE listed.business_id = :business_id
   AND listed.account = :account AND listed.day = :day
"""
# What is not in the list of the day may be in another's: the provider's day is not ours.
_UNLISTED: Final = text(
    f"""
SELECT calls.provider_id, calls.status, calls.dialled_at, calls.attempt_id, calls.call_id {_OURS}
   AND NOT EXISTS (SELECT {_LISTED} AND listed.provider_id = calls.provider_id)
 ORDER BY calls.provider_id LIMIT :most
"""
)
_CLEAR: Final = text(f"DELETE FROM audit_differences WHERE {KEY}")  # noqa: S608
_ADD_OURS: Final = text(
    """
INSERT INTO audit_differences (business_id, account, day, provider_id, side, rule, direction,
                               status, started_at, attempt_id, call_id)
SELECT :business_id, :account, :day, provider_id, 'ours', rule, 'outbound-api', status, at,
       attempt_id, call_id
  FROM unnest(CAST(:provider_ids AS text[]), CAST(:rules AS text[]), CAST(:statuses AS text[]),
              CAST(:ats AS timestamptz[]), CAST(:attempts AS text[]), CAST(:calls AS text[]))
       AS ours (provider_id, rule, status, at, attempt_id, call_id)
"""
)
# A leg that a call of ours opened is ours. What was made through the API between the numbers of an
# attempt that we had given up, after it, is most likely that attempt's call.
_ADD_THEIRS: Final = text(
    f"""
INSERT INTO audit_differences (business_id, account, day, provider_id, side, rule, direction,
                               status, started_at, attempt_id, call_id)
SELECT business_id, account, day, provider_id, 'theirs',
       CASE WHEN direction = ANY (CAST(:inbound AS text[])) THEN :inbound_unknown
            WHEN given_up.state = 'absent' THEN :absent
            WHEN given_up.state = 'unknown' THEN :unknown
            ELSE :elsewhere END,
       direction, status, started_at, given_up.attempt_id, given_up.call_id
  FROM (SELECT * {_LISTED}
           AND NOT EXISTS (
               SELECT FROM provider_calls AS known
                WHERE known.account = listed.account AND known.business_id = listed.business_id
                  AND known.provider_id IN (listed.provider_id, listed.parent_id))
           AND NOT EXISTS (
               SELECT FROM legs
                WHERE legs.business_id = listed.business_id AND legs.account = listed.account
                  AND legs.provider_id IN (listed.provider_id, listed.parent_id))) AS listed
  LEFT JOIN LATERAL (
       SELECT attempts.state, attempts.attempt_id, attempts.call_id FROM attempts
        WHERE listed.direction = 'outbound-api' AND attempts.business_id = listed.business_id
          AND attempts.account = listed.account AND attempts.to_number = listed.to_number
          AND attempts.from_number = listed.from_number
          AND attempts.state IN ('absent', 'unknown')
          AND attempts.intent_at > listed.started_at - interval '1 day'
          AND attempts.intent_at < listed.started_at + interval '5 minutes'
        ORDER BY attempts.intent_at DESC LIMIT 1) AS given_up ON true
"""  # noqa: S608
)
_FINISH: Final = text(
    f"""
UPDATE call_audits
   SET state = 'done', reason = NULL, audited_at = clock_timestamp(),
       ours = (SELECT count(*) {_OURS}),
       theirs = (SELECT count(*) {_LISTED}),
       inbound = (SELECT count(*) {_LISTED} AND direction = ANY (CAST(:inbound AS text[]))),
       only_ours = (SELECT count(*) FROM audit_differences WHERE {KEY} AND side = 'ours'),
       only_theirs = (SELECT count(*) FROM audit_differences WHERE {KEY} AND side = 'theirs')
 WHERE {KEY} AND token = :token AND state = 'reading'
"""  # noqa: S608
)
_FORGET: Final = text(f"DELETE FROM audit_listed WHERE {KEY}")  # noqa: S608
_BY_RULE: Final = text(
    f"SELECT side, rule, count(*) AS calls FROM audit_differences WHERE {KEY} GROUP BY 1, 2"  # noqa: S608
)
_TOLD: Final = "day, state, ours, theirs, inbound, only_ours, only_theirs, reason, audited_at"
_REPORT: Final = text(f"SELECT {_TOLD} FROM call_audits WHERE {KEY}")  # noqa: S608
_REPORTS: Final = text(
    f"""
SELECT {_TOLD} FROM call_audits
 WHERE business_id = :business_id AND account = :account AND day < :before
 ORDER BY day DESC LIMIT :limit
"""  # noqa: S608
)
_DIFFERENCES: Final = text(
    f"""
SELECT provider_id, side, rule, direction, status, started_at, attempt_id, call_id
  FROM audit_differences WHERE {KEY} AND provider_id > :after
 ORDER BY provider_id LIMIT :limit
"""  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A call of ours that the provider's list of the day does not show."""

    provider_id: str
    status: str
    dialled_at: datetime
    attempt_id: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """The audit of one day, as far as it is made."""

    day: date
    state: str
    ours: int | None
    theirs: int | None
    inbound: int | None
    only_ours: int | None
    only_theirs: int | None
    reason: str | None
    audited_at: datetime | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A call that one side alone knows. No number is told."""

    provider_id: str
    side: str
    rule: str
    direction: str
    status: str
    started_at: datetime | None
    attempt_id: str | None
    call_id: str | None


async def unlisted(session: AsyncSession, audit: Audit, *, most: int) -> list[Unlisted]:
    """Calls of ours that the list does not show."""
    rows = await session.execute(_UNLISTED, {**audit.key, "most": most})
    return [Unlisted(*row) for row in rows]


async def replace(
    session: AsyncSession, audit: Audit, ours: Sequence[tuple[Unlisted, str]]
) -> dict[tuple[str, str], int]:
    """Put the new report in the place of the old one; differences by side and rule.

    The audit's row is locked by the caller, and is its own.
    """
    await session.execute(_CLEAR, audit.key)
    await session.execute(
        _ADD_OURS,
        {
            **audit.key,
            "provider_ids": [call.provider_id for call, _ in ours],
            "rules": [rule for _, rule in ours],
            "statuses": [call.status for call, _ in ours],
            "ats": [call.dialled_at for call, _ in ours],
            "attempts": [call.attempt_id for call, _ in ours],
            "calls": [call.call_id for call, _ in ours],
        },
    )
    inbound = {"inbound": sorted(INBOUND)}
    rules = {
        "inbound_unknown": INBOUND_UNKNOWN,
        "absent": ATTEMPT_ABSENT,
        "unknown": ATTEMPT_UNKNOWN,
        "elsewhere": MADE_ELSEWHERE,
    }
    await session.execute(_ADD_THEIRS, {**audit.key, **inbound, **rules})
    finish = {**audit.key, **inbound, "token": audit.token}
    await session.execute(_FINISH, finish)
    await session.execute(_FORGET, audit.key)
    rows = await session.execute(_BY_RULE, audit.key)
    return {(row.side, row.rule): int(row.calls) for row in rows}


async def get(session: AsyncSession, key: Key) -> Report | None:
    """The report of an account's day."""
    row = (await session.execute(_REPORT, asdict(key))).first()
    return None if row is None else Report(*row)


async def reports(
    session: AsyncSession, business_id: str, account: str, *, before: date, limit: int
) -> list[Report]:
    """The account's reports, newest first."""
    parameters = {"business_id": business_id, "account": account, "before": before, "limit": limit}
    return [Report(*row) for row in await session.execute(_REPORTS, parameters)]


async def differences(
    session: AsyncSession, key: Key, *, after: str, limit: int
) -> list[Difference]:
    """A day's differences in the order of the provider's ids."""
    parameters = {**asdict(key), "after": after, "limit": limit}
    return [Difference(*row) for row in await session.execute(_DIFFERENCES, parameters)]
