"""Runs as they were asked for, and what outbound says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.paces import Pace, Sample, pace
from trunkline_api.store.rows import every, first, only
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.db.transaction import wake_after_commit

CHANGED: Final = "api.runs"  # rung when a run has changed


@dataclass(frozen=True, slots=True)
class Run:
    """One campaign and how far it is."""

    id: str
    business_id: str
    name: str
    channel: ChannelKind
    channel_id: str
    audience: str
    list_id: str | None
    content: dict[str, Any]
    policy: dict[str, Any]
    state: str
    reason: str | None
    total: int | None
    rejects: int | None
    states: dict[str, int]
    outcomes: dict[str, int]
    correlation_id: str
    created_at: datetime
    requested_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    start_at: datetime | None
    version: int
    recent: list[tuple[float, int]]
    read_at: datetime
    forecast: dict[str, Any] | None = None
    forecast_at: datetime | None = None
    parent_id: str | None = None
    preparing: bool = False

    @property
    def rate(self) -> float | None:
        """Turns that end in a second, of late."""
        return self._pace().rate

    @property
    def estimated_end(self) -> datetime | None:
        """When it would be over at this rate."""
        return self._pace().estimated_end

    def _pace(self) -> Pace:
        samples = [Sample(at, ended) for at, ended in self.recent]
        now = self.read_at.timestamp()
        return pace(samples, now=now, state=self.state, total=self.total)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A draft."""

    id: str
    business_id: str
    name: str
    channel: ChannelKind
    channel_id: str
    audience: str
    list_id: str | None
    content: dict[str, Any]
    policy: dict[str, Any]
    correlation_id: str


@dataclass(frozen=True, slots=True)
class RunContact:
    """How one contact's turn ended."""

    seq: int
    contact_id: str
    state: str
    outcome: str | None
    reason: str
    ended_at: datetime


COLUMNS: Final = (
    "id, business_id, name, channel, channel_id, audience, list_id, content, policy, state,"
    " reason, total, rejects, states, outcomes, correlation_id, created_at, requested_at,"
    " started_at, ended_at, start_at, version, recent, clock_timestamp() AS read_at,"
    " forecast, forecast_at, parent_id, preparing"
)
_ADD: Final = text(
    f"""
INSERT INTO runs (id, business_id, name, channel, channel_id, audience, list_id, content, policy,
                  correlation_id)
VALUES (:id, :business_id, :name, :channel, :channel_id, :audience, :list_id,
        CAST(:content AS jsonb), CAST(:policy AS jsonb), :correlation_id)
RETURNING {COLUMNS}
"""  # noqa: S608
)
_GET: Final = text(
    f"SELECT {COLUMNS} FROM runs WHERE business_id = :business_id AND id = :run_id"  # noqa: S608
)
_LOCK: Final = text(
    f"SELECT {COLUMNS} FROM runs WHERE business_id = :business_id AND id = :run_id"  # noqa: S608
    " FOR UPDATE"
)
_PAGE: Final = text(
    f"""
SELECT {COLUMNS} FROM runs WHERE business_id = :business_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_REQUEST: Final = text(
    f"""
UPDATE runs SET state = CASE WHEN CAST(:start_at AS timestamptz) IS NULL THEN 'starting'
                             ELSE 'scheduled' END,
                start_at = :start_at, requested_at = clock_timestamp(),
                correlation_id = :correlation_id
 WHERE business_id = :business_id AND id = :run_id AND state = 'draft'
RETURNING {COLUMNS}
"""  # noqa: S608
)
_EDIT: Final = text(
    """
UPDATE runs SET policy = CAST(:policy AS jsonb), start_at = :start_at
 WHERE business_id = :business_id AND id = :run_id AND state = 'draft'
"""
)
_CANCEL_DRAFT: Final = text(
    """
UPDATE runs SET state = 'cancelled', ended_at = clock_timestamp()
 WHERE business_id = :business_id AND id = :run_id AND state = 'draft'
"""
)
_SCRIPT: Final = text(
    """
SELECT content FROM runs
 WHERE business_id = :business_id AND id = :run_id AND channel_id = :channel_id
"""
)
_CONTACTS: Final = text(
    """
SELECT seq, contact_id, state, outcome, reason, ended_at FROM run_contacts
 WHERE business_id = :business_id AND run_id = :run_id AND seq > :after
 ORDER BY seq LIMIT :limit
"""
)


async def add(session: AsyncSession, new: NewRun) -> Run:
    """Keep a draft."""
    values = {name: getattr(new, name) for name in NewRun.__slots__}
    values["content"] = json.dumps(new.content)
    values["policy"] = json.dumps(new.policy)
    return only(await session.execute(_ADD, values), Run)


async def get(session: AsyncSession, business_id: str, run_id: str) -> Run | None:
    """One run of a business."""
    values = {"business_id": business_id, "run_id": run_id}
    return first(await session.execute(_GET, values), Run)


async def lock(session: AsyncSession, business_id: str, run_id: str) -> Run | None:
    """The same, held until the transaction ends: of two starts the second sees the first."""
    values = {"business_id": business_id, "run_id": run_id}
    return first(await session.execute(_LOCK, values), Run)


async def page(session: AsyncSession, business_id: str, *, before: str, limit: int) -> list[Run]:
    """Runs, newest first."""
    values = {"business_id": business_id, "before": before, "limit": limit}
    return every(await session.execute(_PAGE, values), Run)


async def request(
    session: AsyncSession,
    business_id: str,
    run_id: str,
    *,
    correlation_id: str,
    start_at: datetime | None,
) -> Run:
    """A locked draft is starting, or scheduled, under the correlation id of whoever asked."""
    values = {
        "business_id": business_id,
        "run_id": run_id,
        "correlation_id": correlation_id,
        "start_at": start_at,
    }
    wake_after_commit(session, CHANGED)
    return only(await session.execute(_REQUEST, values), Run)


async def edit(
    session: AsyncSession,
    business_id: str,
    run_id: str,
    *,
    policy: dict[str, Any],
    start_at: datetime | None,
) -> None:
    """Change a draft's policy; of a run that was started outbound says what is in force."""
    values = {"business_id": business_id, "run_id": run_id, "policy": json.dumps(policy)}
    await session.execute(_EDIT, values | {"start_at": start_at})
    wake_after_commit(session, CHANGED)


async def cancel_draft(session: AsyncSession, business_id: str, run_id: str) -> None:
    """Nothing of it ever left: it is over at once."""
    await session.execute(_CANCEL_DRAFT, {"business_id": business_id, "run_id": run_id})
    wake_after_commit(session, CHANGED)


async def content_of(
    session: AsyncSession, business_id: str, run_id: str, channel_id: str
) -> dict[str, Any] | None:
    """What a run on this channel says."""
    values = {"business_id": business_id, "run_id": run_id, "channel_id": channel_id}
    found: dict[str, Any] | None = (await session.execute(_SCRIPT, values)).scalar()
    return found


async def contacts(
    session: AsyncSession, business_id: str, run_id: str, *, after: int, limit: int
) -> list[RunContact]:
    """How the turns that are over ended, in the audience's order."""
    values = {"business_id": business_id, "run_id": run_id, "after": after, "limit": limit}
    return every(await session.execute(_CONTACTS, values), RunContact)
