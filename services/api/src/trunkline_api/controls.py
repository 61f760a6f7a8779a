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
    if asked.state == "pending":
        asked = await _answered(database, business_id, asked)
    if asked.state == "refused":
        raise errors.conflict("control-refused", asked.reason or "the run's state does not fit")
    return asked


async def _keep(session: AsyncSession, run: Run, wish: Wish) -> Asked:
    control_id = new_id(CONTROL)
    event = _event(run, control_id, wish)
    if wish.control == "edit":
        await runs.edit(
            session,
            run.business_id,
            run.id,
            policy=_merged(run, wish),
            start_at=wish.start_at if wish.moves_start else run.start_at,
        )
    answer: dict[str, Any] | None = None
    if run.state == "draft":  # outbound has not heard of it: nothing was ever handed over
        answer = {}
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
            asked=event.model_dump(mode="json", exclude={"run_id", "control_id"}),
            asked_by=wish.by,
            correlation_id=wish.correlation_id,
            answer=answer,
        ),
    )


def _event(run: Run, control_id: str, wish: Wish) -> Event:
    match wish.control:
        case "pause":
            return RunPauseRequested(run_id=run.id, control_id=control_id)
        case "resume":
            return RunResumeRequested(run_id=run.id, control_id=control_id)
        case "cancel":
            return RunCancelRequested(run_id=run.id, control_id=control_id, hang_up=wish.hang_up)
        case _:
            return RunEdited(
                run_id=run.id,
                control_id=control_id,
                policy=RunPolicy.model_validate(_merged(run, wish)),
                start_at=wish.start_at if wish.moves_start else run.start_at,
            )


def _merged(run: Run, wish: Wish) -> dict[str, Any]:
    """The policy with what is to change; null takes a limit away."""
    merged = {**run.policy, **wish.policy}
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
