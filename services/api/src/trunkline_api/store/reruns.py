"""Children of runs, and how far the audience of each has been gathered from outbound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every, first
from trunkline_api.store.runs import CHANGED, COLUMNS, Run
from trunkline_common.db.transaction import wake_after_commit


@dataclass(frozen=True, slots=True)
class Build:
    """The audience of a child on its way: whose it is, and behind which number to go on."""

    run_id: str
    business_id: str
    parent_id: str
    control_id: str
    outcomes: list[str]
    starts: bool
    start_at: datetime | None
    asked_by: str
    correlation_id: str
    after_seq: int = 0
    listed_at: datetime | None = None


_COLUMNS: Final = (
    "run_id, business_id, parent_id, control_id, outcomes, starts, start_at, asked_by,"
    " correlation_id, after_seq, listed_at"
)
_ADOPT: Final = text(
    """
UPDATE runs SET parent_id = :parent_id, rerun_key = :key, rerun = CAST(:asked AS jsonb),
       preparing = true
 WHERE business_id = :business_id AND id = :run_id
"""
)
_ADD: Final = text(
    """
INSERT INTO rerun_builds (run_id, business_id, parent_id, control_id, outcomes, starts, start_at,
                          asked_by, correlation_id)
VALUES (:run_id, :business_id, :parent_id, :control_id, CAST(:outcomes AS text[]), :starts,
        :start_at, :asked_by, :correlation_id)
"""
)
_CHILD: Final = text(
    f"""
SELECT {COLUMNS} FROM runs
 WHERE business_id = :business_id AND parent_id = :parent_id AND rerun_key = :key
"""  # noqa: S608
)
_ASKED: Final = text("SELECT rerun FROM runs WHERE business_id = :business_id AND id = :run_id")
_PAGE: Final = text(
    f"""
SELECT {COLUMNS} FROM runs
 WHERE business_id = :business_id AND parent_id = :parent_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_GET: Final = text(
    f"""
SELECT {_COLUMNS} FROM rerun_builds
 WHERE business_id = :business_id AND run_id = :run_id AND closed_at IS NULL
"""  # noqa: S608
)
# What its own request has left is gone on with; who was looked at longest ago is next, and goes to
# the end first, so that one that cannot be gone on with is not in the way of others.
_NEXT: Final = text(
    f"""
UPDATE rerun_builds SET built_at = clock_timestamp()
 WHERE run_id = (
    SELECT run_id FROM rerun_builds
     WHERE closed_at IS NULL AND built_at < clock_timestamp() - make_interval(secs => :idle)
     ORDER BY built_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING {_COLUMNS}
"""  # noqa: S608
)
# INVARIANT: a contact's place is its number in the parent's audience, so a page that is read twice
# adds nobody twice, and whoever is on the list has kept the order.
_LIST: Final = text(
    """
INSERT INTO audience_members (list_id, position, business_id, contact_id)
SELECT :run_id, ended.seq, :business_id, contacts.id
  FROM unnest(CAST(:seqs AS integer[]), CAST(:contacts AS text[])) AS ended (seq, contact_id)
  JOIN contacts ON contacts.id = ended.contact_id AND contacts.business_id = :business_id
ON CONFLICT DO NOTHING
"""
)
_ADVANCE: Final = text(
    """
UPDATE rerun_builds SET after_seq = greatest(after_seq, :after), built_at = clock_timestamp(),
       listed_at = CASE WHEN :is_last THEN coalesce(listed_at, clock_timestamp())
                        ELSE listed_at END
 WHERE business_id = :business_id AND run_id = :run_id
"""
)
_READY: Final = text(
    "UPDATE runs SET preparing = false WHERE business_id = :business_id AND id = :run_id"
)
_COUNT: Final = text(
    "SELECT count(*) FROM audience_members WHERE business_id = :business_id AND list_id = :run_id"
)
_CLOSE: Final = text(
    """
UPDATE rerun_builds SET closed_at = clock_timestamp()
 WHERE business_id = :business_id AND run_id = :run_id
"""
)


async def adopt(session: AsyncSession, build: Build, *, key: str, asked: dict[str, Any]) -> None:
    """Make a draft the child of its parent; its audience is gathered from here on."""
    values = {"business_id": build.business_id, "run_id": build.run_id}
    kept = {"parent_id": build.parent_id, "key": key, "asked": json.dumps(asked)}
    await session.execute(_ADOPT, values | kept)
    names = ("parent_id", "control_id", "outcomes", "starts", "start_at", "asked_by")
    fields = {name: getattr(build, name) for name in (*names, "correlation_id")}
    await session.execute(_ADD, values | fields)


async def child(session: AsyncSession, business_id: str, parent_id: str, key: str) -> Run | None:
    """The child that a run has under this key."""
    values = {"business_id": business_id, "parent_id": parent_id, "key": key}
    return first(await session.execute(_CHILD, values), Run)


async def asked_of(session: AsyncSession, business_id: str, run_id: str) -> dict[str, Any] | None:
    """What a child was asked with."""
    values = {"business_id": business_id, "run_id": run_id}
    found: dict[str, Any] | None = (await session.execute(_ASKED, values)).scalar()
    return found


async def page(
    session: AsyncSession, business_id: str, parent_id: str, *, before: str, limit: int
) -> list[Run]:
    """A run's children, newest first."""
    values = {"business_id": business_id, "parent_id": parent_id, "before": before, "limit": limit}
    return every(await session.execute(_PAGE, values), Run)


async def open_build(session: AsyncSession, business_id: str, run_id: str) -> Build | None:
    """How far a child is; None once it is whole."""
    values = {"business_id": business_id, "run_id": run_id}
    return first(await session.execute(_GET, values), Build)


async def next_build(session: AsyncSession, *, idle: float) -> Build | None:
    """A child that nobody has gone on with for so many seconds."""
    return first(await session.execute(_NEXT, {"idle": idle}), Build)


async def gather(
    session: AsyncSession, build: Build, ended: Sequence[tuple[int, str]], *, is_last: bool
) -> None:
    """Put these (number, contact) of the parent on the child's list."""
    values = {"business_id": build.business_id, "run_id": build.run_id}
    columns = {"seqs": [seq for seq, _ in ended], "contacts": [contact for _, contact in ended]}
    await session.execute(_LIST, values | columns)
    after = ended[-1][0] if ended else build.after_seq
    await session.execute(_ADVANCE, values | {"after": after, "is_last": is_last})
    if is_last:
        await session.execute(_READY, values)
        wake_after_commit(session, CHANGED)


async def close(session: AsyncSession, build: Build) -> int:
    """It is whole, and was started if that was asked for; how many it has."""
    values = {"business_id": build.business_id, "run_id": build.run_id}
    await session.execute(_CLOSE, values)
    return int((await session.execute(_COUNT, values)).scalar_one())
