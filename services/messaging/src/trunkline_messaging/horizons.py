"""Nothing waits for ever: lost senders, requests in doubt, and channels that never came."""

from __future__ import annotations

import logging

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.transaction import name_commit
from trunkline_messaging import facts
from trunkline_messaging.domain.progress import Step
from trunkline_messaging.store import messages, sends
from trunkline_messaging.store.sends import Settled

log = logging.getLogger(__name__)

BATCH = 500

_DOUBTFUL = text(
    """
SELECT attempt_id FROM messages
 WHERE state = 'in_doubt'
   AND changed_at < clock_timestamp() - make_interval(secs => :horizon)
 ORDER BY message_id LIMIT :batch
   FOR NO KEY UPDATE SKIP LOCKED
"""
)
# Hops from channel to channel over the index, however many messages each of them has.
_HOMELESS = text(
    """
WITH RECURSIVE named AS (
    (SELECT channel_id FROM messages WHERE state IN ('queued', 'waiting')
      ORDER BY channel_id LIMIT 1)
    UNION ALL
    SELECT (SELECT messages.channel_id FROM messages
             WHERE state IN ('queued', 'waiting') AND messages.channel_id > named.channel_id
             ORDER BY messages.channel_id LIMIT 1)
      FROM named WHERE named.channel_id IS NOT NULL
)
SELECT attempt_id FROM messages
 WHERE state IN ('queued', 'waiting')
   AND channel_id IN (SELECT channel_id FROM named WHERE channel_id IS NOT NULL
                      EXCEPT SELECT channel_id FROM channels)
   AND created_at < clock_timestamp() - make_interval(secs => :patience)
 ORDER BY message_id LIMIT :batch
   FOR NO KEY UPDATE SKIP LOCKED
"""
)


async def doubt_lost(database: Database) -> bool:
    """Doubt what lost senders were sending; whether there was any.

    INVARIANT: what was being sent is in doubt, whoever finds it, and never sent again by itself.
    """
    async with transaction(database) as session:
        attempt_ids = await sends.lock_expired(session, BATCH)
        if not attempt_ids:
            return False
        name_commit(session, "messaging.take_over")
        locked = await messages.lock(session, attempt_ids)
        step = Step("in_doubt", reason="its sender was lost")
        await messages.move(session, {m.message_id: step for m in locked.values()})
        await sends.settle(
            session,
            [
                Settled(m.attempt_id, m.number, "in_doubt", None, "sender_lost")
                for m in locked.values()
            ],
            said_by="take_over",
        )
        # The provider's statuses name the attempt, so a doubt need not keep the address closed.
        await sends.close_sends(session, attempt_ids)
    log.warning("send.taken_over", extra={"in_doubt": len(attempt_ids)})
    return True


async def close_doubtful(database: Database, *, horizon: float) -> bool:
    """End doubts that nothing resolved; a late status still corrects them."""
    async with transaction(database) as session:
        attempt_ids = await _attempts(session, _DOUBTFUL, horizon=horizon)
        if not attempt_ids:
            return False
        name_commit(session, "messaging.horizon")
        locked = await messages.lock(session, attempt_ids)
        reason = "the provider's answer was lost and no status came"
        step = Step("unknown", code="unknown", reason=reason)
        await messages.move(session, {m.message_id: step for m in locked.values()})
        await sends.settle(
            session,
            [Settled(m.attempt_id, m.number, "unknown") for m in locked.values()],
            said_by="horizon",
        )
        await outbox.add_all(session, [facts.unknown(m, reason) for m in locked.values()])
    log.error("message.unknown", extra={"messages": len(attempt_ids)})
    return True


async def fail_homeless(database: Database, *, patience: float) -> bool:
    """Fail messages for channels that nobody ever told of."""
    async with transaction(database) as session:
        attempt_ids = await _attempts(session, _HOMELESS, patience=patience)
        if not attempt_ids:
            return False
        locked = await messages.lock(session, attempt_ids)
        reason = "no such WhatsApp channel"
        step = Step("failed", code="no_channel", reason=reason)
        await messages.move(session, {m.message_id: step for m in locked.values()})
        await outbox.add_all(
            session,
            [facts.failed(m, code="no_channel", reason=reason) for m in locked.values()],
        )
    log.error("message.no_channel", extra={"messages": len(attempt_ids)})
    return True


async def _attempts(session: AsyncSession, query: TextClause, **seconds: float) -> list[str]:
    rows = await session.execute(query, {**seconds, "batch": BATCH})
    return list(rows.scalars())
