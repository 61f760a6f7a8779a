"""Audits: a row for each account and day with the cursor of what was read, and its differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.gateways.voice import ProviderCall

KEY: Final = "business_id = :business_id AND account = :account AND day = :day"

_OPEN: Final = text(
    """
INSERT INTO call_audits (business_id, account, day, channel_id)
SELECT DISTINCT ON (business_id, account, day) business_id, account, day, channel_id
  FROM channels CROSS JOIN unnest(CAST(:days AS date[])) AS due (day)
 WHERE kind = 'voice' AND enabled
 ORDER BY business_id, account, day, channel_id DESC
ON CONFLICT DO NOTHING
"""
)
# Again: the report stays until the new one takes its place; whoever reads now has lost its token.
_REOPEN: Final = text(
    """
INSERT INTO call_audits (business_id, account, day, channel_id)
SELECT business_id, account, :day, channel_id FROM channels
 WHERE channel_id = :channel_id AND kind = 'voice'
ON CONFLICT (business_id, account, day) DO UPDATE
   SET state = 'reading', token = call_audits.token + 1, next_page = NULL, pages = 0,
       read_whole = false, tries = 0, try_at = clock_timestamp(), reason = NULL,
       channel_id = excluded.channel_id
RETURNING business_id, account, day
"""
)
_FORGET: Final = text(f"DELETE FROM audit_listed WHERE {KEY}")  # noqa: S608
_LOCK: Final = text(
    f"SELECT day FROM call_audits WHERE {KEY} AND token = :token AND state = 'reading' FOR UPDATE"  # noqa: S608
)
# To pick is to hold it until `try_at`: whoever dies in between is followed by the next look.
_COLUMNS: Final = (
    "business_id, account, day, channel_id, token, next_page, pages, read_whole, tries"
)
_PICK: Final = text(
    f"""
WITH due AS (
    SELECT business_id, account, day FROM call_audits
     WHERE state = 'reading' AND try_at <= clock_timestamp()
       AND (CAST(:account AS text) IS NULL
            OR (business_id = :business_id AND account = :account AND day = :day))
     ORDER BY try_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
UPDATE call_audits AS audit
   SET token = token + 1, try_at = clock_timestamp() + make_interval(secs => :hold)
  FROM due WHERE audit.business_id = due.business_id AND audit.account = due.account
             AND audit.day = due.day
RETURNING {", ".join(f"audit.{name}" for name in _COLUMNS.split(", "))}
"""  # noqa: S608
)
_KEEP: Final = text(
    """
INSERT INTO audit_listed (business_id, account, day, provider_id, direction, parent_id,
                          from_number, to_number, status, started_at)
SELECT :business_id, :account, :day, * FROM unnest(
    CAST(:provider_ids AS text[]), CAST(:directions AS text[]), CAST(:parents AS text[]),
    CAST(:senders AS text[]), CAST(:addresses AS text[]), CAST(:statuses AS text[]),
    CAST(:started AS timestamptz[]))
ON CONFLICT DO NOTHING
"""
)
_TURN: Final = text(
    f"""
UPDATE call_audits SET next_page = :next_page, pages = pages + 1, read_whole = :whole, tries = 0,
       try_at = clock_timestamp()
 WHERE {KEY} AND token = :token AND state = 'reading' RETURNING day
"""  # noqa: S608
)
_LATER: Final = text(
    f"""
UPDATE call_audits SET tries = tries + 1, reason = :reason,
       next_page = CASE WHEN :afresh THEN NULL ELSE next_page END,
       try_at = clock_timestamp() + make_interval(secs => :wait)
 WHERE {KEY} AND token = :token AND state = 'reading'
"""  # noqa: S608
)
_FAIL: Final = text(
    f"""
UPDATE call_audits SET state = 'failed', reason = :reason, audited_at = clock_timestamp()
 WHERE {KEY} AND token = :token AND state = 'reading'
"""  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit under way, held by whoever has its newest token."""

    business_id: str
    account: str
    day: date
    channel_id: str
    token: int
    next_page: str | None
    pages: int
    read_whole: bool
    tries: int

    @property
    def key(self) -> dict[str, object]:
        """What names its rows."""
        return {"business_id": self.business_id, "account": self.account, "day": self.day}


@dataclass(frozen=True, slots=True)
class Key:
    """The account of a business, and a day."""

    business_id: str
    account: str
    day: date


async def open_due(session: AsyncSession, days: Sequence[date]) -> None:
    """Begin the audits of these days of every account that has none yet."""
    await session.execute(_OPEN, {"days": list(days)})


async def reopen(session: AsyncSession, channel_id: str, day: date) -> Key | None:
    """Begin the audit of a channel's account again, whatever there was; None without channel."""
    row = (await session.execute(_REOPEN, {"channel_id": channel_id, "day": day})).first()
    if row is None:
        return None
    key = Key(*row)
    await session.execute(_FORGET, asdict(key))
    return key


async def pick(session: AsyncSession, *, hold: float, only: Key | None = None) -> Audit | None:
    """An audit whose time has come, held for so many seconds."""
    parameters = {
        "hold": hold,
        "business_id": only.business_id if only else None,
        "account": only.account if only else None,
        "day": only.day if only else None,
    }
    row = (await session.execute(_PICK, parameters)).first()
    return None if row is None else Audit(*row)


async def lock_own(session: AsyncSession, audit: Audit) -> bool:
    """Lock the audit's row; whether it is still ours."""
    row = await session.execute(_LOCK, {**audit.key, "token": audit.token})
    return row.first() is not None


async def keep_page(
    session: AsyncSession, audit: Audit, calls: Sequence[ProviderCall], next_page: str | None
) -> bool:
    """Keep a page with the cursor behind it; False where the audit is not ours any more."""
    turn = {"next_page": next_page, "whole": next_page is None, "token": audit.token}
    if (await session.execute(_TURN, {**audit.key, **turn})).first() is None:
        return False
    listed = {
        "provider_ids": [call.provider_id for call in calls],
        "directions": [call.direction for call in calls],
        "parents": [call.parent_id for call in calls],
        "senders": [call.from_number for call in calls],
        "addresses": [call.to_number for call in calls],
        "statuses": [call.status for call in calls],
        "started": [call.started_at for call in calls],
    }
    await session.execute(_KEEP, {**audit.key, **listed})
    return True


async def try_later(
    session: AsyncSession, audit: Audit, *, reason: str, wait: float, afresh: bool
) -> None:
    """Look again in so many seconds; `afresh`: from the first page, for this one is refused."""
    parameters = {"reason": reason, "wait": wait, "afresh": afresh, "token": audit.token}
    await session.execute(_LATER, {**audit.key, **parameters})


async def fail(session: AsyncSession, audit: Audit, *, reason: str) -> None:
    """Give it up; the report says so."""
    await session.execute(_FAIL, {**audit.key, "reason": reason, "token": audit.token})
