"""Pausing, resuming, cancelling and editing runs: asked here, decided and answered by outbound."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import errors
from trunkline_api.domain.controls import Control, refusal
from trunkline_api.store import controls as store
from trunkline_api.store import runs
from trunkline_api.store.controls import ANSWERED, Asked, NewControl
from trunkline_api.store.runs import Run
from trunkline_common.contracts.api import (
    RunCancelRequested,
    RunEdited,
    RunPauseRequested,
    RunPolicy,
    RunResumeRequested,
)
from trunkline_common.contracts.envelope import Event
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit
from trunkline_common.ids import CONTROL, new_id

PATIENCE_SECONDS: Final = 2.0  # how long a request waits for outbound's answer
SUPERSEDED: Final = "superseded"  # outbound's word for a control that a later one has overtaken
_LOOK_SECONDS: Final = 0.25  # a hint may be lost


@dataclass(frozen=True, slots=True)
class Wish:
    """A control that somebody asks for; `by` is the key or the user."""

    control: Control
    by: str
    correlation_id: str
    hang_up: bool = False
    policy: dict[str, Any] = field(default_factory=dict)
    start_at: datetime | None = None
    moves_start: bool = False


@dataclass(frozen=True, slots=True)
class _Standing:
    """What an edit changes."""

    policy: dict[str, Any]
    start_at: datetime | None


async def ask(database: Database, business_id: str, run_id: str, wish: Wish) -> Asked:
    """Ask, and wait a moment for the answer. A control without one goes on: it is never lost.

    Raises a conflict where the state of the run does not allow it.
    """
    async with transaction(database) as session:
        run = await runs.lock(session, business_id, run_id)
        if run is None:
            raise errors.not_found("run")
        reason = refusal(wish.control, run.state)
        if reason is not None:
            raise errors.conflict("control-refused", reason)
        if wish.moves_start and run.state not in {"draft", "scheduled", "starting"}:
            raise errors.conflict("control-refused", f"its start is over: the run is {run.state}")
        name_commit(session, "api.control")
        asked = await _keep(session, run, wish)
    return await settled(database, business_id, asked)


async def settled(database: Database, business_id: str, asked: Asked) -> Asked:
    """The control with its answer, if that comes in time. Raises a conflict if it is refused."""
    if asked.state == "pending":
        asked = await _answered(database, business_id, asked)
    if asked.state == "refused" and asked.reason == SUPERSEDED:
        raise errors.conflict("control-superseded", "what was asked later has been applied already")
    if asked.state == "refused":
        raise errors.conflict("control-refused", asked.reason or "the run's state does not fit")
    return asked


async def _keep(session: AsyncSession, run: Run, wish: Wish) -> Asked:
    control_id = new_id(CONTROL)
    number = await store.next_number(session, run.business_id, run.id)
    base = await _base(session, run)
    event = _event(run, base, control_id, number, wish)
    answer: dict[str, Any] | None = None
    if run.state == "draft":  # outbound has not heard of it: nothing was ever handed over
        answer = {}
        if wish.control == "edit":
            await _edit_draft(session, run, wish)
        if wish.control == "cancel":
            await runs.cancel_draft(session, run.business_id, run.id)
            answer = {"stopped": 0, "in_flight": 0, "ended": 0}
    else:
        await outbox.add(session, Fact(event, run.business_id, wish.correlation_id))
    return await store.add(
        session,
        NewControl(
            id=control_id,
            business_id=run.business_id,
            run_id=run.id,
            control=wish.control,
            asked=event.model_dump(mode="json", exclude={"run_id", "control_id", "number"}),
            asked_by=wish.by,
            correlation_id=wish.correlation_id,
            answer=answer,
            number=number,
        ),
    )


async def _edit_draft(session: AsyncSession, run: Run, wish: Wish) -> None:
    start_at = wish.start_at if wish.moves_start else run.start_at
    policy = _merged(run.policy, wish)
    await runs.edit(session, run.business_id, run.id, policy=policy, start_at=start_at)


async def _base(session: AsyncSession, run: Run) -> _Standing:
    """What is in force, or what an edit that is under way will put in force: edits add up."""
    pending = await store.pending_edit(session, run.business_id, run.id)
    if pending is None:
        return _Standing(run.policy, run.start_at)
    start_at = pending.get("start_at")
    return _Standing(pending["policy"], datetime.fromisoformat(start_at) if start_at else None)


def _event(run: Run, base: _Standing, control_id: str, number: int, wish: Wish) -> Event:
    about: dict[str, Any] = {"run_id": run.id, "control_id": control_id, "number": number}
    match wish.control:
        case "pause":
            return RunPauseRequested(**about)
        case "resume":
            return RunResumeRequested(**about)
        case "cancel":
            return RunCancelRequested(**about, hang_up=wish.hang_up)
        case _:
            return RunEdited(
                **about,
                policy=RunPolicy.model_validate(_merged(base.policy, wish)),
                start_at=wish.start_at if wish.moves_start else base.start_at,
            )


def _merged(policy: dict[str, Any], wish: Wish) -> dict[str, Any]:
    """The policy with what is to change; null takes a limit away."""
    merged = {**policy, **wish.policy}
    return {name: value for name, value in merged.items() if value is not None}


async def _answered(database: Database, business_id: str, asked: Asked) -> Asked:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    with database.waker.bell(ANSWERED) as bell:
        while True:
            bell.clear()
            async with transaction(database) as session:
                now = await store.get(session, business_id, asked.run_id, asked.id)
            left = deadline - loop.time()
            if now is None or now.state != "pending" or left <= 0:
                return now or asked
            await bell.wait(min(left, _LOOK_SECONDS))


async def get(database: Database, business_id: str, run_id: str, control_id: str) -> Asked | None:
    """One control of a run."""
    async with transaction(database) as session:
        return await store.get(session, business_id, run_id, control_id)


async def page(
    database: Database, business_id: str, run_id: str, *, before: str, limit: int
) -> list[Asked] | None:
    """Who controlled a run, newest first; None where the business has no such run."""
    async with transaction(database) as session:
        if await runs.get(session, business_id, run_id) is None:
            return None
        return await store.page(session, business_id, run_id, before=before, limit=limit)
