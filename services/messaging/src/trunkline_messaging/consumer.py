"""What messaging does when it hears something. Read HANDLERS first."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common import topology
from trunkline_common.broker import Handlers
from trunkline_common.contracts import Envelope
from trunkline_common.contracts.api import ChannelChanged, MessageRequested, MessageStatusReported
from trunkline_common.contracts.outbound import RunCancelling, RunMessageDue
from trunkline_common.contracts.suppressions import ContactSuppressed, ContactUnsuppressed
from trunkline_common.db import outbox, pace
from trunkline_common.db.transaction import wake_after_commit
from trunkline_common.ids import account_scope
from trunkline_messaging import facts, intake
from trunkline_messaging.store import channels, gates, messages, statuses, suppressions


async def on_channel_changed(session: AsyncSession, envelope: Envelope[ChannelChanged]) -> None:
    """Keep the newest state of a WhatsApp number and its pace."""
    event = envelope.event
    if event.kind != "whatsapp":
        return
    if await channels.upsert_channel(session, event, business_id=envelope.business_id):
        scope = account_scope(envelope.business_id, event.account)
        await pace.set_pace(session, scope, event.per_second)
        wake_after_commit(session, messages.DUE)


async def on_message_requested(session: AsyncSession, envelope: Envelope[MessageRequested]) -> None:
    """Take in a message that somebody waits for."""
    await messages.insert(session, intake.requested(envelope))


async def on_run_message_due(session: AsyncSession, envelope: Envelope[RunMessageDue]) -> None:
    """Take in a run's message; of a cancelled run only to say that it was stopped."""
    is_shut = await gates.is_shut(session, envelope.event.run_id, envelope.business_id)
    await messages.insert(session, intake.of_run(envelope))
    if is_shut:
        stopped = await gates.stop(session, envelope.event.run_id, envelope.business_id)
        await outbox.add_all(session, [facts.cancelled(m, envelope.id) for m in stopped])


async def on_run_cancelling(session: AsyncSession, envelope: Envelope[RunCancelling]) -> None:
    """Admit no more of this run."""
    stopped = await gates.shut(session, envelope.event.run_id, envelope.business_id)
    await outbox.add_all(session, [facts.cancelled(m, envelope.id) for m in stopped])


async def on_suppressed(session: AsyncSession, envelope: Envelope[ContactSuppressed]) -> None:
    """No message of a run leaves after this to whom it fits."""
    await suppressions.keep(
        session, envelope.event, business_id=envelope.business_id, in_force=True
    )


async def on_unsuppressed(session: AsyncSession, envelope: Envelope[ContactUnsuppressed]) -> None:
    """Let this suppression go, unless a later one has come already."""
    await suppressions.keep(
        session, envelope.event, business_id=envelope.business_id, in_force=False
    )


async def on_message_status(
    session: AsyncSession, envelope: Envelope[MessageStatusReported]
) -> None:
    """Keep what the provider said; the fold applies it."""
    await statuses.keep(session, envelope)


HANDLERS: dict[topology.Queue, Handlers] = {
    topology.MESSAGING_HIGH: {
        MessageRequested: on_message_requested,
        ChannelChanged: on_channel_changed,
        RunCancelling: on_run_cancelling,
        ContactSuppressed: on_suppressed,
        ContactUnsuppressed: on_unsuppressed,
    },
    topology.MESSAGING_DEFAULT: {
        MessageStatusReported: on_message_status,
    },
    topology.MESSAGING_BROADCASTS: {
        RunMessageDue: on_run_message_due,
    },
}
