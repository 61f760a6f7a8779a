"""Pause, resume, cancel and edit: one transaction each, under the run's cursor."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import (
    RunCancelRequested,
    RunEdited,
    RunPauseRequested,
    RunResumeRequested,
)
from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.contracts.outbound import (
    ControlName,
    RunCancelling,
    RunControlRefused,
    RunPaused,
    RunPolicyChanged,
    RunResumed,
)
from trunkline_common.db import outbox, pace
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_common.outcomes import Refuse, TryLater
from trunkline_outbound.domain.controls import Do, Refusal, Ruling, lane, rule
from trunkline_outbound.runs import ENDED, WORK
from trunkline_outbound.store import brakes, claims, limits, runs
from trunkline_outbound.store import controls as store
from trunkline_outbound.store.controls import Receipt, Standing

GATE = "outbound.gate"  # rung when tokens were revoked: who sends looks at what it still holds

E = TypeVar("E", RunPauseRequested, RunResumeRequested, RunCancelRequested, RunEdited)


async def pause(session: AsyncSession, envelope: Envelope[RunPauseRequested]) -> None:
    """Revoke every token of the run, so that no intent commits after this."""
    run, ruling = await _gate(session, envelope, "pause")
    if isinstance(ruling, Refusal):
        return
    step = run.step
    if isinstance(ruling, Do):
        step = await store.move(session, run.run_id, "paused")
        await claims.revoke_open(session, run.run_id)
        wake_after_commit(session, GATE)
    event = RunPaused(
        run_id=run.run_id,
        step=step,
        control_id=envelope.event.control_id,
        in_flight=await store.count_in_flight(session, run.run_id),
    )
    await _say(session, envelope, event)


async def resume(session: AsyncSession, envelope: Envelope[RunResumeRequested]) -> None:
    """Let anybody take up the open claims where they were left."""
    run, ruling = await _gate(session, envelope, "resume")
    if isinstance(ruling, Refusal):
        return
    step = run.step
    if isinstance(ruling, Do):
        step = await store.move(session, run.run_id, "running")
        await store.reopen_claims(session, run.run_id)
        await brakes.arm(session, run.run_id)
        wake_after_commit(session, WORK)
        wake_after_commit(session, ENDED)
    event = RunResumed(run_id=run.run_id, step=step, control_id=envelope.event.control_id)
    await _say(session, envelope, event)


async def cancel(session: AsyncSession, envelope: Envelope[RunCancelRequested]) -> None:
    """Stop for good, and answer with the receipt."""
    run, ruling = await _gate(session, envelope, "cancel")
    if isinstance(ruling, Refusal):
        return
    event = envelope.event
    if isinstance(ruling, Do):
        receipt, step = await stop_for_good(session, run.run_id, hang_up=event.hang_up)
    else:
        receipt, step = await _receipt(session, run), run.step
        if event.hang_up:
            await store.ask_hang_up(session, run.run_id)
    wake_after_commit(session, ENDED)
    fact = RunCancelling(
        run_id=run.run_id,
        step=step,
        control_id=event.control_id,
        hang_up=event.hang_up or run.hang_up,
        stopped=receipt.stopped,
        in_flight=receipt.in_flight,
        ended=receipt.ended,
    )
    await _say(session, envelope, fact)


async def _receipt(session: AsyncSession, run: Standing) -> Receipt:
    """What the first cancel answered; of a run that failed without one, what there is."""
    return Receipt(**run.receipt) if run.receipt else await store.count(session, run.run_id)


async def stop_for_good(
    session: AsyncSession,
    run_id: str,
    *,
    hang_up: bool = False,
    reason: str | None = None,
    ends_as: str = "cancelled",
) -> tuple[Receipt, int]:
    """Revoke, then count. The cursor is locked by the caller.

    INVARIANT I4: revoking waits for intents under way, which hold their claim's row, so what is
    counted as in flight is exactly what was admitted.
    """
    await claims.revoke_open(session, run_id)
    receipt = await store.count(session, run_id)
    step = await store.begin_cancel(
        session, run_id, receipt, hang_up=hang_up, reason=reason, ends_as=ends_as
    )
    wake_after_commit(session, GATE)
    wake_after_commit(session, ENDED)
    return receipt, step


async def edit(session: AsyncSession, envelope: Envelope[RunEdited]) -> None:
    """Put a new policy in force: it counts for every intent after this."""
    run, ruling = await _gate(session, envelope, "edit")
    if isinstance(ruling, Refusal):
        return
    event, policy = envelope.event, envelope.event.policy
    step = await store.edit(
        session, run.run_id, policy=policy.model_dump_json(), start_at=event.start_at
    )
    await limits.set_cap(session, "run", run.run_id, policy.concurrent)
    await pace.set_pace(session, run.run_id, policy.per_second)
    wake_after_commit(session, WORK)
    wake_after_commit(session, GATE)
    fact = RunPolicyChanged(
        run_id=run.run_id,
        step=step,
        control_id=event.control_id,
        policy=policy.model_dump(mode="json"),
    )
    await _say(session, envelope, fact)


async def _gate(
    session: AsyncSession, envelope: Envelope[E], control: ControlName
) -> tuple[Standing, Ruling]:
    """Lock the run's gate and judge; what does not fit is answered here."""
    event = envelope.event
    await runs.lock_cursor(session, event.run_id)
    run = await store.standing(session, event.run_id)
    if run is None:
        raise TryLater(f"run {event.run_id} is not known yet")
    if run.business_id != envelope.business_id:
        raise Refuse(f"run {event.run_id} does not belong to business {envelope.business_id}")
    ruling = rule(control, run.state, is_late=await _is_late(session, run, control, event.number))
    name_commit(session, "outbound.gate")
    if isinstance(ruling, Refusal):
        refused = RunControlRefused(
            run_id=run.run_id,
            control_id=event.control_id,
            control=control,
            state=run.state,
            reason=ruling.reason,
        )
        await _say(session, envelope, refused)
    return run, ruling


async def _is_late(
    session: AsyncSession, run: Standing, control: ControlName, number: int | None
) -> bool:
    """Whether a later one of its lane was judged before; if not, this one is the latest now.

    Controls without a number are of a version that judged in the order of arrival.
    """
    of = lane(control)
    if of is None or number is None:
        return False
    return not await store.take_turn(session, run.run_id, of, number)


async def _say(session: AsyncSession, envelope: Envelope[Any], event: Event) -> None:
    fact = Fact(event, envelope.business_id, envelope.correlation_id, causation_id=envelope.id)
    await outbox.add(session, fact)
