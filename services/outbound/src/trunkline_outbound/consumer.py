"""What outbound does when it hears something. Read HANDLERS first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common import topology
from trunkline_common.broker import Bulk, Handlers
from trunkline_common.contracts import Envelope
from trunkline_common.contracts.api import (
    BusinessCreated,
    BusinessSettingsChanged,
    CallStatusReported,
    CallTwimlFetched,
    ChannelChanged,
    RunAudienceAdded,
    RunAudienceClosed,
    RunCancelRequested,
    RunEdited,
    RunPauseRequested,
    RunRequested,
    RunResumeRequested,
)
from trunkline_common.contracts.content import CallDigitsReported, CallLegReported
from trunkline_common.contracts.inbound import CallInboundReported
from trunkline_common.contracts.messaging import (
    MessageAccepted,
    MessageCancelled,
    MessageDelivered,
    MessageFailed,
    MessageRead,
    MessageSent,
    MessageUnknown,
)
from trunkline_common.contracts.runs import RunContactsAdded, RunForecastRequested
from trunkline_common.contracts.suppressions import ContactSuppressed, ContactUnsuppressed
from trunkline_common.db import pace
from trunkline_common.db.transaction import wake_after_commit
from trunkline_common.ids import account_scope, number_scope
from trunkline_outbound import additions, controls, forecasting, notes, runs
from trunkline_outbound.domain.calls import CallEvent
from trunkline_outbound.heard import said_of_inbound
from trunkline_outbound.store import channels, events, legs, limits, suppressions
from trunkline_outbound.store.events import KeptOfCall, SaidOfMessage

Result = (
    MessageAccepted
    | MessageSent
    | MessageDelivered
    | MessageRead
    | MessageFailed
    | MessageUnknown
    | MessageCancelled
)

_STATUS: dict[type[Result], str] = {
    MessageAccepted: "accepted",
    MessageSent: "sent",
    MessageDelivered: "delivered",
    MessageRead: "read",
    MessageFailed: "failed",
    MessageUnknown: "unknown",
    MessageCancelled: "cancelled",
}


async def on_business_created(session: AsyncSession, envelope: Envelope[BusinessCreated]) -> None:
    """Know the business's country and zone, and what it may have in the air."""
    if await channels.upsert_business(session, envelope.event):
        await limits.set_business_cap(session, envelope.business_id, envelope.event.concurrent)


async def on_settings_changed(
    session: AsyncSession, envelope: Envelope[BusinessSettingsChanged]
) -> None:
    """Keep the newest zone, days off and limits; they count for the next intent."""
    event = envelope.event
    if await channels.change_settings(session, event, business_id=envelope.business_id):
        await limits.set_business_cap(session, envelope.business_id, event.concurrent)
        wake_after_commit(session, runs.WORK)


async def on_channel_changed(session: AsyncSession, envelope: Envelope[ChannelChanged]) -> None:
    """Keep the newest state of the account, its pace and its room: of this business alone."""
    event = envelope.event
    if await channels.upsert_channel(session, event, business_id=envelope.business_id):
        scope = account_scope(envelope.business_id, event.account)
        await limits.set_cap(session, "account", scope, event.concurrent)
        await limits.open_business(session, envelope.business_id)
        if event.kind == "voice":  # the pace of messages is messaging's
            await pace.set_pace(session, scope, event.per_second)
            each = event.per_number.per_second if event.per_number else None
            for number in sorted(event.senders):
                await pace.set_pace(session, number_scope(scope, number), each)
        wake_after_commit(session, runs.WORK)  # it may have lifted a hold


async def on_suppressed(session: AsyncSession, envelope: Envelope[ContactSuppressed]) -> None:
    """No intent that commits after this admits whom it fits."""
    await suppressions.keep(
        session, envelope.event, business_id=envelope.business_id, in_force=True
    )


async def on_unsuppressed(session: AsyncSession, envelope: Envelope[ContactUnsuppressed]) -> None:
    """Let this suppression go, unless a later one has come already."""
    await suppressions.keep(
        session, envelope.event, business_id=envelope.business_id, in_force=False
    )


async def on_run_requested(session: AsyncSession, envelope: Envelope[RunRequested]) -> None:
    """Write the run down; it starts when its audience is complete."""
    await runs.request(session, envelope)


async def on_audience_added(
    session: AsyncSession, envelopes: Sequence[Envelope[RunAudienceAdded]]
) -> None:
    """Turn chunks of contacts into jobs."""
    await runs.add_audience(session, envelopes)


async def on_audience_closed(session: AsyncSession, envelope: Envelope[RunAudienceClosed]) -> None:
    """Start the run if this was the last piece."""
    await runs.close_audience(session, envelope)


async def on_call_events(
    session: AsyncSession, envelopes: Sequence[Envelope[CallStatusReported | CallTwimlFetched]]
) -> None:
    """Keep what providers said; the fold applies it. A script that is fetched proves a call."""
    await events.keep_call_events(
        session,
        [KeptOfCall(_said(e.event), e.business_id, e.event.account, e.id) for e in envelopes],
    )


def _said(event: CallStatusReported | CallTwimlFetched) -> CallEvent:
    if isinstance(event, CallTwimlFetched):
        return CallEvent(event.attempt_id, event.provider_call_id, "twiml_fetched", -1)
    return CallEvent(
        attempt_id=event.attempt_id,
        provider_id=event.provider_call_id,
        status=event.status,
        number=-1 if event.sequence_number is None else event.sequence_number,
        duration=event.duration,
        answered_by=event.answered_by,
        code=event.error_code or event.sip_code,
    )


async def on_message_results(session: AsyncSession, envelopes: Sequence[Envelope[Result]]) -> None:
    """Keep what messaging said of runs' messages; of others outbound knows nothing."""
    said = [
        SaidOfMessage(
            attempt_id=e.event.attempt_id,
            run_id=e.event.run_id,
            status=_STATUS[type(e.event)],
            business_id=e.business_id,
            code=getattr(e.event, "code", None),
            reason=getattr(e.event, "reason", None),
            event_id=e.id,
        )
        for e in envelopes
        if e.event.run_id is not None
    ]
    if said:
        await events.keep_message_events(session, said)


async def on_inbound_call(session: AsyncSession, envelope: Envelope[CallInboundReported]) -> None:
    """Keep what the provider said of a call to one of the business's numbers."""
    await legs.keep(session, said_of_inbound(envelope))


_CALL_EVENTS = Bulk(on_call_events)
_MESSAGE_RESULTS = Bulk(on_message_results)

HANDLERS: dict[topology.Queue, Handlers] = {
    topology.OUTBOUND_CONTROL: {
        BusinessCreated: on_business_created,
        BusinessSettingsChanged: on_settings_changed,
        ChannelChanged: on_channel_changed,
        ContactSuppressed: on_suppressed,
        ContactUnsuppressed: on_unsuppressed,
        RunRequested: on_run_requested,
        RunEdited: controls.edit,
        RunPauseRequested: controls.pause,
        RunResumeRequested: controls.resume,
        RunCancelRequested: controls.cancel,
        RunForecastRequested: forecasting.request,
    },
    topology.OUTBOUND_AUDIENCE: {
        RunAudienceAdded: Bulk(on_audience_added),
        RunAudienceClosed: on_audience_closed,
        RunContactsAdded: additions.add,
    },
    topology.OUTBOUND_CALLBACKS: {
        CallStatusReported: _CALL_EVENTS,
        CallTwimlFetched: _CALL_EVENTS,
        CallDigitsReported: notes.on_digits,
        CallLegReported: notes.on_leg,
        CallInboundReported: on_inbound_call,
    },
    topology.OUTBOUND_RESULTS: {
        MessageAccepted: _MESSAGE_RESULTS,
        MessageSent: _MESSAGE_RESULTS,
        MessageDelivered: _MESSAGE_RESULTS,
        MessageRead: _MESSAGE_RESULTS,
        MessageFailed: _MESSAGE_RESULTS,
        MessageUnknown: _MESSAGE_RESULTS,
        MessageCancelled: _MESSAGE_RESULTS,
    },
}
