"""What outbound says of runs as wholes: states by step, and answers to controls."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store import controls, forecasts, progress
from trunkline_common.contracts import Envelope, outbound
from trunkline_common.contracts.runs import RunAdditionEnded, RunForecasted
from trunkline_common.outcomes import Refuse


def _known(known: bool) -> None:
    if not known:
        raise Refuse("this business has no such run")


async def on_run_paused(session: AsyncSession, envelope: Envelope[outbound.RunPaused]) -> None:
    """Nothing more is admitted."""
    event = envelope.event
    _known(
        await progress.moved(
            session, envelope.business_id, event.run_id, "paused", event.step, event.reason
        )
    )
    if event.control_id is not None:
        answer = {"in_flight": event.in_flight}
        await controls.answer(
            session, envelope.business_id, event.control_id, done=True, answer=answer
        )


async def on_run_resumed(session: AsyncSession, envelope: Envelope[outbound.RunResumed]) -> None:
    """It goes on."""
    event = envelope.event
    _known(await progress.moved(session, envelope.business_id, event.run_id, "running", event.step))
    if event.control_id is not None:
        await controls.answer(session, envelope.business_id, event.control_id, done=True)


async def on_policy_changed(
    session: AsyncSession, envelope: Envelope[outbound.RunPolicyChanged]
) -> None:
    """The policy that was asked for is in force, and is shown from now on."""
    event = envelope.event
    _known(await progress.policy_in_force(session, envelope.business_id, event))
    await controls.answer(
        session, envelope.business_id, event.control_id, done=True, answer={"policy": event.policy}
    )


async def on_run_cancelling(
    session: AsyncSession, envelope: Envelope[outbound.RunCancelling]
) -> None:
    """The receipt of a cancel."""
    event = envelope.event
    _known(
        await progress.moved(
            session, envelope.business_id, event.run_id, "cancelling", event.step, event.reason
        )
    )
    if event.control_id is not None:
        receipt = event.model_dump(include={"stopped", "in_flight", "ended"})
        await controls.answer(
            session, envelope.business_id, event.control_id, done=True, answer=receipt
        )


async def on_run_over(
    session: AsyncSession,
    envelope: Envelope[outbound.RunCancelled | outbound.RunFailed | outbound.RunCompleted],
) -> None:
    """Every job is final."""
    event = envelope.event
    state = {
        outbound.RunCancelled: "cancelled",
        outbound.RunFailed: "failed",
        outbound.RunCompleted: "completed",
    }[type(event)]
    known = await progress.over(
        session, envelope.business_id, event, state=state, at=envelope.occurred_at
    )
    _known(known)


async def on_control_refused(
    session: AsyncSession, envelope: Envelope[outbound.RunControlRefused]
) -> None:
    """A control that did not fit."""
    event = envelope.event
    await controls.answer(
        session, envelope.business_id, event.control_id, done=False, reason=event.reason
    )


async def on_run_forecasted(session: AsyncSession, envelope: Envelope[RunForecasted]) -> None:
    """What outbound foresees, shown with the run."""
    event = envelope.event
    known = await forecasts.answer(
        session,
        envelope.business_id,
        event.run_id,
        asked=event.asked,
        forecast=event.forecast,
        at=envelope.occurred_at,
    )
    _known(known)


async def on_addition_ended(session: AsyncSession, envelope: Envelope[RunAdditionEnded]) -> None:
    """How many were added, or why nobody more."""
    event = envelope.event
    answer = event.model_dump(include={"added", "rejects", "total"})
    await controls.answer(
        session,
        envelope.business_id,
        event.control_id,
        done=event.refused is None,
        answer=answer,
        reason=event.refused,
    )
