"""Controls as they were asked for, and what outbound answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.controls import Control
from trunkline_api.store.rows import every, first
from trunkline_common.db.transaction import wake_after_commit

ANSWERED: Final = "api.controls"  # rung when a control has an answer


@dataclass(frozen=True, slots=True)
class Asked:
    """One control: who asked for it, and what came of it."""

    id: str
    run_id: str
    control: Control
    asked: dict[str, Any]
    asked_by: str
    asked_at: datetime
    state: str
    answer: dict[str, Any] | None
    reason: str | None
    answered_at: datetime | None
    number: int | None


_COLUMNS: Final = (
    "id, run_id, control, asked, asked_by, asked_at, state, answer, reason, answered_at, number"
)
_ADD: Final = text(
    f"""
INSERT INTO run_controls (id, business_id, run_id, control, asked, asked_by, state, answer,
                          answered_at, correlation_id, number)
VALUES (:id, :business_id, :run_id, :control, CAST(:asked AS jsonb), :asked_by, :state,
        CAST(:answer AS jsonb), CASE WHEN :state <> 'pending' THEN clock_timestamp() END,
        :correlation_id, :number)
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_GET: Final = text(
    f"""
SELECT {_COLUMNS} FROM run_controls
 WHERE business_id = :business_id AND run_id = :run_id AND id = :id
"""  # noqa: S608
)
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS} FROM run_controls
 WHERE business_id = :business_id AND run_id = :run_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_NEXT_NUMBER: Final = text(
    """
UPDATE runs SET controls = controls + 1 WHERE business_id = :business_id AND id = :run_id
RETURNING controls
"""
)
_PENDING_EDIT: Final = text(
    """
SELECT asked FROM run_controls
 WHERE business_id = :business_id AND run_id = :run_id AND control = 'edit' AND state = 'pending'
 ORDER BY number DESC NULLS LAST, id DESC LIMIT 1
"""
)
_UNANSWERED: Final = text(
    f"""
SELECT {_COLUMNS} FROM run_controls
 WHERE business_id = :business_id AND run_id = :run_id AND state = 'pending'
 ORDER BY id LIMIT 20
"""  # noqa: S608
)
_ANSWER: Final = text(
    """
UPDATE run_controls SET state = :state, answer = CAST(:answer AS jsonb), reason = :reason,
       answered_at = clock_timestamp()
 WHERE id = :id AND business_id = :business_id AND state = 'pending'
"""
)


@dataclass(frozen=True, slots=True)
class NewControl:
    """A control as it is asked for; with an `answer` where api can give it at once."""

    id: str
    business_id: str
    run_id: str
    control: Control
    asked: dict[str, Any]
    asked_by: str
    correlation_id: str
    answer: dict[str, Any] | None = None
    number: int | None = None


async def next_number(session: AsyncSession, business_id: str, run_id: str) -> int:
    """The number of the run's next control; the run is locked, so they grow in its order."""
    values = {"business_id": business_id, "run_id": run_id}
    return int((await session.execute(_NEXT_NUMBER, values)).scalar_one())


async def pending_edit(
    session: AsyncSession, business_id: str, run_id: str
) -> dict[str, Any] | None:
    """What the last edit asked for that has no answer yet: the next one stands on it."""
    values = {"business_id": business_id, "run_id": run_id}
    asked: dict[str, Any] | None = (await session.execute(_PENDING_EDIT, values)).scalar()
    return asked


async def add(session: AsyncSession, new: NewControl) -> Asked:
    """Write a control down, with who asked."""
    values = {name: getattr(new, name) for name in NewControl.__slots__}
    values["asked"] = json.dumps(new.asked)
    values["answer"] = None if new.answer is None else json.dumps(new.answer)
    values["state"] = "pending" if new.answer is None else "done"
    row = (await session.execute(_ADD, values)).mappings().one()
    return Asked(**row)


async def get(
    session: AsyncSession, business_id: str, run_id: str, control_id: str
) -> Asked | None:
    """One control of a business's run."""
    values = {"business_id": business_id, "run_id": run_id, "id": control_id}
    return first(await session.execute(_GET, values), Asked)


async def page(
    session: AsyncSession, business_id: str, run_id: str, *, before: str, limit: int
) -> list[Asked]:
    """Controls of a run, newest first."""
    values = {"business_id": business_id, "run_id": run_id, "before": before, "limit": limit}
    return every(await session.execute(_PAGE, values), Asked)


async def unanswered(session: AsyncSession, business_id: str, run_id: str) -> list[Asked]:
    """What was asked of a run and has no answer yet, the oldest first, up to twenty."""
    values = {"business_id": business_id, "run_id": run_id}
    return every(await session.execute(_UNANSWERED, values), Asked)


async def answer(
    session: AsyncSession,
    business_id: str,
    control_id: str,
    *,
    done: bool,
    answer: dict[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Write down what outbound answered; a repetition changes nothing."""
    values = {
        "id": control_id,
        "business_id": business_id,
        "state": "done" if done else "refused",
        "answer": None if answer is None else json.dumps(answer),
        "reason": reason,
    }
    await session.execute(_ANSWER, values)
    wake_after_commit(session, ANSWERED)
