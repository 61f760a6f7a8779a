"""What the provider said of messages, folded into them in batches: any order gives one state."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit
from trunkline_messaging import facts
from trunkline_messaging.domain.progress import DELIVERY_RANK, Step, after_statuses
from trunkline_messaging.store import messages, sends, statuses
from trunkline_messaging.store.messages import Message
from trunkline_messaging.store.sends import Settled
from trunkline_messaging.store.statuses import Status

log = logging.getLogger(__name__)

BATCH = 500
KEEP_UNBOUND = 86_400.0  # seconds: after that a status of no message of ours is put aside


async def fold(database: Database) -> bool:
    """Fold what has arrived since the last look; whether there was anything."""
    async with transaction(database) as session:
        said = await statuses.lock_unfolded(session, BATCH, keep=KEEP_UNBOUND)
        if not said:
            return False
        name_commit(session, "messaging.fold")
        attempts = await _attempts_of(session, said)
        locked = await messages.lock(session, sorted(set(attempts.values())))
        owners = {key: locked.get(attempt_id) for key, attempt_id in attempts.items()}
        unbound = [s for s in said if owners.get(s.key) is None and not s.stale]
        waiting = set(unbound)
        judged = [(s, _problem(s, owners.get(s.key))) for s in said if s not in waiting]
        await statuses.look_later(session, unbound)
        await statuses.mark_folded(session, judged)
        by_message: dict[str, list[Status]] = {}
        for status, problem in judged:
            message = owners.get(status.key)
            if problem is None and message is not None:
                by_message.setdefault(message.attempt_id, []).append(status)
        await _apply(session, by_message, locked)
        return True


async def _attempts_of(session: AsyncSession, said: Sequence[Status]) -> dict[tuple[str, str], str]:
    """Whose statuses these are: by our own reference, else by the provider's id."""
    nameless = sorted({status.key for status in said})
    known = await messages.bound(session, nameless)
    # What the provider answered to our own request is better evidence than what it echoes.
    return {s.key: s.attempt_id for s in said if s.attempt_id is not None} | known


def _problem(status: Status, message: Message | None) -> str | None:
    """Why a status cannot be used, if it cannot."""
    if message is None:
        problem = "unknown_message"
    elif (message.business_id, message.channel_id) != (status.business_id, status.channel_id):
        problem = "foreign_message"
    elif status.status not in DELIVERY_RANK:
        problem = "unknown_status"
    elif message.provider_message_id not in (None, status.provider_message_id):
        problem = "another_id"
    else:
        return None
    level = logging.INFO if problem == "unknown_status" else logging.ERROR
    log.log(level, "message.status_unusable", extra={"problem": problem, "event": status.event_id})
    return problem


async def _apply(
    session: AsyncSession,
    by_message: Mapping[str, Sequence[Status]],
    locked: Mapping[str, Message],
) -> None:
    """Move each message once, and publish each status once."""
    steps: dict[str, Step] = {}
    said: list[Fact] = []
    for attempt_id, news in by_message.items():
        message = locked[attempt_id]
        provider_id = news[0].provider_message_id
        step = after_statuses(message.standing, [s.status for s in news], provider_id)
        if step is not None:
            steps[message.message_id] = step
        ordered = sorted(news, key=lambda status: DELIVERY_RANK[status.status])
        if message.provider_message_id is None:
            first = ordered[0]
            said.append(
                facts.accepted(message, provider_id, first.reported_at, caused_by=first.event_id)
            )
        said += [facts.progressed(message, status) for status in ordered]
    await messages.move(session, steps)
    proven = [locked[a] for a in by_message if locked[a].provider_message_id is None]
    await _settle(session, proven, {a: s[0].provider_message_id for a, s in by_message.items()})
    await outbox.add_all(session, said)


async def _settle(
    session: AsyncSession, proven: Sequence[Message], provider_ids: Mapping[str, str]
) -> None:
    """Close what was open or in doubt: the provider has spoken of these for the first time."""
    for message in proven:
        if message.state not in ("sending", "accepted"):
            log.warning(
                "message.accepted_late",
                extra={"attempt": message.attempt_id, "state": message.state},
            )
    await messages.bind(
        session, [(m.channel_id, provider_ids[m.attempt_id], m.attempt_id) for m in proven]
    )
    await sends.settle(
        session,
        [Settled(m.attempt_id, m.number, "accepted") for m in proven],
        said_by="status",
    )
    await sends.close_sends(session, [m.attempt_id for m in proven])
