"""What the senders saw, written down in batches: facts from whoever says them, decisions fenced."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, outbox, pace, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_messaging import facts
from trunkline_messaging.domain.answers import Result
from trunkline_messaging.domain.progress import Step, after_result, backoff
from trunkline_messaging.store import channels, gates, messages, sends
from trunkline_messaging.store.channels import Channel
from trunkline_messaging.store.messages import Message
from trunkline_messaging.store.sends import Settled

log = logging.getLogger(__name__)

_ATTEMPT_STATES = {
    "accepted": "accepted",
    "rejected": "rejected",
    "later": "rejected",
    "misconfigured": "rejected",
    "not_sent": "not_sent",
    "in_doubt": "in_doubt",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request's result. `message` is as it was granted."""

    message: Message
    channel: Channel
    result: Result


async def record(database: Database, batch: Sequence[Recorded]) -> None:
    """Write a batch of results down, and publish what became true."""
    async with transaction(database) as session:
        name_commit(session, "messaging.record")
        shut = await _shut_runs(session, batch)
        locked = await messages.lock(session, [each.message.attempt_id for each in batch])
        steps = {
            each.message.message_id: step
            for each in batch
            if (step := _step(locked[each.message.attempt_id], each)) is not None
        }
        moved_at = await messages.move(session, steps)
        await messages.bind(session, _taken(batch))
        await sends.settle(session, [_settled(each) for each in batch], said_by="answer")
        await sends.close_sends(session, _over(batch, locked, steps))
        by_id = {message.message_id: message for message in locked.values()}
        said = [_fact(by_id[message_id], step, moved_at) for message_id, step in steps.items()]
        await outbox.add_all(session, [fact for fact in said if fact is not None])
        for run_id, business_id in shut:
            stopped = await gates.stop(session, run_id, business_id)
            await outbox.add_all(session, [facts.cancelled(m, None) for m in stopped])
        await _learn(session, batch)
        if any(step.state == "waiting" for step in steps.values()):
            wake_after_commit(session, messages.DUE)


async def _shut_runs(session: AsyncSession, batch: Sequence[Recorded]) -> list[tuple[str, str]]:
    """Runs of this batch that were cancelled: what would wait for another try is stopped instead.

    Asked before any message is locked, in the order that a cancel keeps to.
    """
    asked = sorted(
        {
            (each.message.run_id, each.message.business_id)
            for each in batch
            if each.message.run_id is not None and each.result.kind != "accepted"
        }
    )
    return [run for run in asked if await gates.is_shut(session, *run)]


def _step(message: Message, each: Recorded) -> Step | None:
    provider_id = each.result.provider_id
    if provider_id and message.provider_message_id not in (None, provider_id):
        # INVARIANT I1 is broken: one attempt, two messages at the provider.
        log.error(
            "message.accepted_twice",
            extra={"attempt": message.attempt_id, "business": message.business_id},
        )
    return after_result(message.standing, each.message.number, each.result)


def _over(
    batch: Sequence[Recorded], locked: Mapping[str, Message], steps: Mapping[str, Step]
) -> list[str]:
    """Whose addresses are free now. What an earlier request says again is not of the one in flight,
    whose address stays closed.
    """
    return [
        each.message.attempt_id
        for each in batch
        if each.message.message_id in steps
        or locked[each.message.attempt_id].number == each.message.number
    ]


def _taken(batch: Sequence[Recorded]) -> list[tuple[str, str, str]]:
    return [
        (each.channel.channel_id, each.result.provider_id, each.message.attempt_id)
        for each in batch
        if each.result.provider_id
    ]


def _settled(each: Recorded) -> Settled:
    return Settled(
        each.message.attempt_id,
        each.message.number,
        _ATTEMPT_STATES[each.result.kind],
        each.result.code,
        each.result.reason or None,
    )


def _fact(message: Message, step: Step, moved_at: Mapping[str, datetime | None]) -> Fact | None:
    if step.state == "accepted" and step.provider_message_id is not None:
        return facts.accepted(message, step.provider_message_id, moved_at[message.message_id])
    if step.state == "failed":
        reason = step.reason or "refused by the provider"
        return facts.failed(message, code=step.code or "rejected", reason=reason)
    return None


async def _learn(session: AsyncSession, batch: Sequence[Recorded]) -> None:
    """What the results say of the sender itself: trusted, too fast, or refused altogether."""
    accepted = {e.channel.channel_id for e in batch if e.result.kind == "accepted"}
    refused = {
        e.channel.channel_id: e.channel.version for e in batch if e.result.kind == "misconfigured"
    }
    if accepted:
        await channels.trust(session, sorted(accepted))
    if refused:
        for channel_id in await channels.hold(session, refused):
            log.error("channel.held", extra={"channel": channel_id})
    limited: dict[str, float] = {}
    for each in batch:
        if each.result.whole_sender:
            wait = each.result.retry_after or backoff(each.message.number)
            limited[each.channel.scope] = max(wait, limited.get(each.channel.scope, 0.0))
    if limited:
        for sender, per_second in (await pace.slow(session, limited)).items():
            log.warning("sender.limited", extra={"sender": sender, "per_second": per_second})
