"""What is of no month of runs is forgotten by its own age, a bounded number of rows at a time."""

from __future__ import annotations

from typing import Final

from trunkline_common.db import Database, transaction
from trunkline_outbound.store import old, touches

AUDIT_DAYS: Final = 90


async def forget_old(database: Database, *, keep_days: int) -> bool:
    """Delete some of what is past its time; whether there was any.

    Touches count for budgets longer than their runs may be kept, so they have a time of their own.
    """
    async with transaction(database) as session:
        gone = await touches.prune(session)
    async with transaction(database) as session:
        gone += await old.forget_legs(session, days=keep_days)
    async with transaction(database) as session:
        gone += await old.forget_audits(session, days=AUDIT_DAYS)
    return gone > 0
