"""A call that turned up while the next try was under way: that try's end is not another's begin."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import outbox
from trunkline_outbound.ending import end_jobs
from trunkline_outbound.store import attempts, calls, jobs, surplus
from trunkline_outbound.store.attempts import Attempt


async def go_back(session: AsyncSession, gone: Sequence[Attempt]) -> None:
    """Nobody is tried again whom an earlier attempt has reached after all.

    `gone` came to nothing, and their jobs wait. INVARIANT: whoever puts a job of such an attempt
    to waiting asks this in the same transaction; the jobs are locked.
    """
    if not gone:
        return
    theirs = await surplus.back_to(session, gone)
    if not theirs:
        return
    run_ids = sorted({attempt.run_id for attempt in gone})
    known = await attempts.get_attempts(session, sorted(theirs), run_ids=run_ids)
    states = await calls.lock_calls(session, sorted(theirs))
    ended = [known[i] for i in sorted(theirs) if i in states and states[i].is_final]
    keys = sorted({(attempt.run_id, attempt.seq) for attempt in ended})
    locked = await jobs.lock_jobs(session, keys)
    await outbox.add_all(session, await end_jobs(session, ended, states, locked))
