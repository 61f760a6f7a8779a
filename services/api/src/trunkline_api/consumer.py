"""What api does when it hears something: it keeps the read models true. Read HANDLERS first."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import leg_facts, run_facts
from trunkline_api.domain.states import MessageState
from trunkline_api.store import calls, messages, progress, recordings
from trunkline_api.store.calls import CallFact
from trunkline_api.store.messages import MessageFact
from trunkline_api.store.recordings import RecordingFact
from trunkline_common import topology
from trunkline_common.broker import Handlers
from trunkline_common.contracts import Envelope, messaging, outbound
from trunkline_common.contracts.inbound import (
    CallLegAnswered,
    CallLegEnded,
    CallLegRinging,
    CallLegUnknown,
    CallPriced,
)
from trunkline_common.contracts.recordings import RecordingFailed, RecordingStored
from trunkline_common.contracts.runs import RunAdditionEnded, RunForecasted
from trunkline_common.outcomes import Refuse
from trunkline_common.topology import Queue


def _accept(known: bool, what: str) -> None:  # the store's answer, passed on
    """A fact about something that the business does not have can never be applied."""
    if not known:
        message = f"this business has no such {what}"
        raise Refuse(message)


async def on_run_started(session: AsyncSession, envelope: Envelope[outbound.RunStarted]) -> None:
    """The audience is frozen: how many there are is known from now on."""
    event = envelope.event
    known = await progress.started(
        session,
        envelope.business_id,
        event.run_id,
        total=event.total,
        rejects=event.rejects,
        at=envelope.occurred_at,
    )
    _accept(known, "run")


async def on_run_rejected(session: AsyncSession, envelope: Envelope[outbound.RunRejected]) -> None:
    """The run can never start."""
    event, at = envelope.event, envelope.occurred_at
    known = await progress.rejected(
        session, envelope.business_id, event.run_id, reason=event.reason, at=at
    )
    _accept(known, "run")


async def on_run_progressed(
    session: AsyncSession, envelope: Envelope[outbound.RunProgressed]
) -> None:
    """Newer counts replace older ones, whichever comes first."""
    event, at = envelope.event, envelope.occurred_at
    known = await progress.progressed(session, envelope.business_id, event, at=at)
    _accept(known, "run")


async def on_job_ended(session: AsyncSession, envelope: Envelope[outbound.JobEnded]) -> None:
    """One contact's turn is over."""
    known = await progress.turn_ended(
        session, envelope.business_id, envelope.event, at=envelope.occurred_at
    )
    _accept(known, "run")


def _about_call(envelope: Envelope[Any]) -> dict[str, Any]:
    event = envelope.event
    return {
        "id": event.call_id,
        "business_id": envelope.business_id,
        "run_id": event.run_id,
        "seq": event.seq,
        "attempt_id": event.attempt_id,
        "correlation_id": envelope.correlation_id,
    }


async def on_call_dialled(session: AsyncSession, envelope: Envelope[outbound.CallDialled]) -> None:
    """The provider took the call."""
    event = envelope.event
    fact = CallFact(
        **_about_call(envelope),
        state="dialled",
        contact_id=event.contact_id,
        channel_id=event.channel_id,
        provider_call_id=event.provider_call_id,
        from_number=event.from_number,
        to_number=event.to_number,
        dialled_at=event.dialled_at,
    )
    _accept(await calls.fold(session, fact), "call")


async def on_call_answered(
    session: AsyncSession, envelope: Envelope[outbound.CallAnswered]
) -> None:
    """Somebody, or something, picked up."""
    at = envelope.event.answered_at or envelope.occurred_at
    fact = CallFact(**_about_call(envelope), state="answered", answered_at=at)
    _accept(await calls.fold(session, fact), "call")


async def on_call_ended(session: AsyncSession, envelope: Envelope[outbound.CallEnded]) -> None:
    """The call is over."""
    event = envelope.event
    fact = CallFact(
        **_about_call(envelope),
        state="ended",
        contact_id=event.contact_id,
        provider_call_id=event.provider_call_id,
        outcome=event.outcome,
        duration=event.duration,
        answered_by=event.answered_by,
        ended_at=event.ended_at or envelope.occurred_at,
        hangup_cause=event.code,
    )
    _accept(await calls.fold(session, fact), "call")


async def on_call_unknown(session: AsyncSession, envelope: Envelope[outbound.CallUnknown]) -> None:
    """Nobody can say what became of the call."""
    fact = CallFact(**_about_call(envelope), state="unknown", reason=envelope.event.reason)
    _accept(await calls.fold(session, fact), "call")


async def _fold_message(
    session: AsyncSession, envelope: Envelope[Any], state: MessageState, **more: Any
) -> None:
    event = envelope.event
    fact = MessageFact(
        id=event.message_id,
        business_id=envelope.business_id,
        channel_id=event.channel_id,
        correlation_id=envelope.correlation_id,
        state=state,
        run_id=event.run_id,
        seq=event.seq,
        contact_id=event.contact_id,
        attempt_id=event.attempt_id,
        **more,
    )
    _accept(await messages.fold(session, fact), "message")


async def on_message_accepted(
    session: AsyncSession, envelope: Envelope[messaging.MessageAccepted]
) -> None:
    """Meta took the message; this fact alone says what was written to whom."""
    event = envelope.event
    await _fold_message(
        session,
        envelope,
        "accepted",
        accepted_at=event.at or envelope.occurred_at,
        provider_message_id=event.provider_message_id,
        to_number=event.to,
        body=event.text,
    )


async def on_message_sent(session: AsyncSession, envelope: Envelope[messaging.MessageSent]) -> None:
    """It left Meta."""
    at = envelope.event.at or envelope.occurred_at
    await _fold_message(session, envelope, "sent", sent_at=at)


async def on_message_delivered(
    session: AsyncSession, envelope: Envelope[messaging.MessageDelivered]
) -> None:
    """It arrived."""
    at = envelope.event.at or envelope.occurred_at
    await _fold_message(session, envelope, "delivered", delivered_at=at)


async def on_message_read(session: AsyncSession, envelope: Envelope[messaging.MessageRead]) -> None:
    """It was opened."""
    at = envelope.event.at or envelope.occurred_at
    await _fold_message(session, envelope, "read", read_at=at)


async def on_message_failed(
    session: AsyncSession, envelope: Envelope[messaging.MessageFailed]
) -> None:
    """It will not arrive."""
    event = envelope.event
    at = event.at or envelope.occurred_at
    await _fold_message(
        session, envelope, "failed", failed_at=at, code=event.code, reason=event.reason
    )


async def on_message_unknown(
    session: AsyncSession, envelope: Envelope[messaging.MessageUnknown]
) -> None:
    """Nobody can say whether it was taken."""
    await _fold_message(session, envelope, "unknown", reason=envelope.event.reason)


async def on_message_cancelled(
    session: AsyncSession, envelope: Envelope[messaging.MessageCancelled]
) -> None:
    """It was stopped before it was admitted."""
    await _fold_message(
        session, envelope, "cancelled", reason=envelope.event.reason or "run_cancelled"
    )


async def on_recording_stored(session: AsyncSession, envelope: Envelope[RecordingStored]) -> None:
    """The audio is ours."""
    event = envelope.event
    fact = RecordingFact(
        id=event.recording_id,
        business_id=envelope.business_id,
        state="stored",
        **event.model_dump(exclude={"recording_id"}),
    )
    _accept(await recordings.fold(session, fact), "recording")


async def on_recording_failed(session: AsyncSession, envelope: Envelope[RecordingFailed]) -> None:
    """The audio could not be had."""
    event = envelope.event
    fact = RecordingFact(
        id=event.recording_id,
        business_id=envelope.business_id,
        state="failed",
        **event.model_dump(exclude={"recording_id"}),
    )
    _accept(await recordings.fold(session, fact), "recording")


HANDLERS: Final[dict[Queue, Handlers]] = {
    topology.API_PROJECTIONS: {
        outbound.RunStarted: on_run_started,
        outbound.RunRejected: on_run_rejected,
        outbound.RunProgressed: on_run_progressed,
        outbound.RunPaused: run_facts.on_run_paused,
        outbound.RunResumed: run_facts.on_run_resumed,
        outbound.RunPolicyChanged: run_facts.on_policy_changed,
        outbound.RunCancelling: run_facts.on_run_cancelling,
        outbound.RunCancelled: run_facts.on_run_over,
        outbound.RunCompleted: run_facts.on_run_over,
        outbound.RunFailed: run_facts.on_run_over,
        outbound.RunControlRefused: run_facts.on_control_refused,
        RunForecasted: run_facts.on_run_forecasted,
        RunAdditionEnded: run_facts.on_addition_ended,
        outbound.JobEnded: on_job_ended,
        outbound.CallDialled: on_call_dialled,
        outbound.CallAnswered: on_call_answered,
        outbound.CallEnded: on_call_ended,
        outbound.CallUnknown: on_call_unknown,
        CallLegRinging: leg_facts.on_leg,
        CallLegAnswered: leg_facts.on_leg,
        CallLegEnded: leg_facts.on_leg,
        CallLegUnknown: leg_facts.on_leg,
        CallPriced: leg_facts.on_call_priced,
        messaging.MessageAccepted: on_message_accepted,
        messaging.MessageSent: on_message_sent,
        messaging.MessageDelivered: on_message_delivered,
        messaging.MessageRead: on_message_read,
        messaging.MessageFailed: on_message_failed,
        messaging.MessageUnknown: on_message_unknown,
        messaging.MessageCancelled: on_message_cancelled,
        RecordingStored: on_recording_stored,
        RecordingFailed: on_recording_failed,
    }
}
