"""The right to send, written down before the first byte: one short transaction a micro-batch.

A queued message is never held by a worker: picking it and writing its request down is one commit.
So a lease is only ever about messages that are being sent, and losing a worker delays no other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, outbox, pace, transaction
from trunkline_common.db.transaction import name_commit
from trunkline_messaging import facts
from trunkline_messaging.domain.progress import Step
from trunkline_messaging.store import messages, sends, suppressions
from trunkline_messaging.store.channels import Channel
from trunkline_messaging.store.messages import Message

log = logging.getLogger(__name__)

PACE_HORIZON = 1.0  # seconds: what may not leave within this is not reserved
_ADDRESS_BUSY = 1.0  # seconds until an address that is being written to is tried again


@dataclass(frozen=True, slots=True)
class Terms:
    """Who sends, and for how long they may. Times in seconds."""

    owner: str
    lease: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Intents:
    """What one transaction granted.

    `granted[i]` may leave `first_in + i * interval` seconds from now. `not_before`: seconds until
    the sender's pace has room again, if that is what stopped it.
    """

    granted: Sequence[Message] = ()
    first_in: float = 0.0
    interval: float = 0.0
    not_before: float = 0.0


@dataclass(slots=True)
class Draft:
    """Requests of a transaction under way, so that a commit without an answer can be settled."""

    granted: list[Message] = field(default_factory=list)


async def commit_intents(
    database: Database, channel: Channel, *, wanted: int, terms: Terms, draft: Draft
) -> Intents:
    """Grant up to `wanted` due messages of a channel; durable when this returns.

    Locks in the order of the protocol: messages, open sends, and pace last.
    """
    async with transaction(database) as session:
        picked = await sends.pick(session, channel, wanted)
        ours = [m for m in picked if m.business_id == channel.business_id]
        if len(ours) < len(picked):
            await _refuse(session, [m for m in picked if m.business_id != channel.business_id])
        ours = await _unsuppressed(session, channel, ours)
        if not ours:
            return Intents()
        won = await sends.open_sends(session, channel, ours)
        await _defer(session, [m for m in ours if m.attempt_id not in won])
        free = [m for m in ours if m.attempt_id in won]
        if not free:
            return Intents()
        paced = await pace.reserve(session, channel.scope, wanted=len(free), horizon=PACE_HORIZON)
        await sends.close_sends(session, [m.attempt_id for m in free[paced.count :]])
        granted = [replace(m, number=m.number + 1) for m in free[: paced.count]]
        if not granted:
            return Intents(not_before=paced.first_in)
        draft.granted.extend(granted)
        name_commit(session, "messaging.intents")
        await sends.grant(
            session,
            channel,
            granted,
            owner=terms.owner,
            lease=terms.lease,
            deadline=terms.deadline,
        )
        return Intents(granted, paced.first_in, paced.interval)


async def _unsuppressed(
    session: AsyncSession, channel: Channel, ours: Sequence[Message]
) -> list[Message]:
    """Those that may leave; who was suppressed since the hand-over is not written to."""
    found = await suppressions.find(session, ours, business_id=channel.business_id)
    if not found:
        return list(ours)
    steps = {i: Step("cancelled", reason=f"suppressed_{kind}") for i, kind in found.items()}
    await messages.move(session, steps)
    stopped = [m for m in ours if m.message_id in found]
    said = [facts.cancelled(m, None, reason=steps[m.message_id].reason) for m in stopped]
    await outbox.add_all(session, said)
    return [m for m in ours if m.message_id not in found]


async def _defer(session: AsyncSession, losers: Sequence[Message]) -> None:
    """Two messages to one address in flight would arrive in an order that nobody chose."""
    step = Step(
        "waiting", due_in=_ADDRESS_BUSY, reason="another message to this address is leaving"
    )
    await messages.move(session, {message.message_id: step for message in losers})


async def _refuse(session: AsyncSession, strangers: Sequence[Message]) -> None:
    """A business may not write from a number that is another's."""
    reason = "the channel belongs to another business"
    step = Step("failed", code="foreign_channel", reason=reason)
    await messages.move(session, {message.message_id: step for message in strangers})
    await outbox.add_all(
        session, [facts.failed(m, code="foreign_channel", reason=reason) for m in strangers]
    )
    log.error("message.foreign_channel", extra={"messages": len(strangers)})
