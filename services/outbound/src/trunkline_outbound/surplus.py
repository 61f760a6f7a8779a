"""A job's second call is stopped while nobody has answered it; whatever comes of it is counted."""

from __future__ import annotations

import logging
from typing import Final

from prometheus_client import Counter

from trunkline_common.db import Database, transaction
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.gateways.voice import AccountAccess, CallRegistry
from trunkline_outbound.news import each
from trunkline_outbound.store import surplus
from trunkline_outbound.store.doubts import LiveCall

log = logging.getLogger(__name__)

BATCH: Final = 100
MOST_TRIES: Final = 12  # ten minutes: by then nobody hears it ring any more

ENDS = Counter("trunkline_surplus_calls_total", "A job's second calls by their end", ["result"])


async def brake_surplus(database: Database, registry: CallRegistry, accounts: Accounts) -> int:
    """Stop second calls; how many were tried."""
    async with transaction(database) as session:
        due = await surplus.pick(session, most=MOST_TRIES, batch=BATCH)

    async def stop(call: LiveCall, access: AccountAccess) -> None:
        stopped = await registry.end(access, call.provider_id, ringing_only=True)
        result = "stopped" if stopped else "too_late"
        async with transaction(database) as session:
            await surplus.settle(session, call, result)
        ENDS.labels(result).inc()

    await each(accounts, due, stop)
    await _give_up(database)
    return len(due)


async def _give_up(database: Database) -> None:
    """Say of which calls nobody knows whether they were stopped: somebody may be called twice."""
    async with transaction(database) as session:
        unstopped = await surplus.give_up(session, most=MOST_TRIES, batch=BATCH)
    for call in unstopped:
        ENDS.labels("given_up").inc()
        log.error("call.surplus_given_up", extra={"attempt": call.attempt_id})
