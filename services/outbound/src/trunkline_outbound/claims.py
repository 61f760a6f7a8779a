"""Who works on what: the one gate through which claims are handed out and taken over."""

from __future__ import annotations

import logging

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db import Database, transaction
from trunkline_outbound.store import attempts, decisions, jobs, runs
from trunkline_outbound.store import claims as store
from trunkline_outbound.store.claims import Claim, Lease
from trunkline_outbound.store.decisions import Decision

log = logging.getLogger(__name__)


async def next_claim(database: Database, run_id: str, *, lease: Lease, wanted: int) -> Claim | None:
    """Hand out work of this run: an expired claim first, then due jobs, then fresh ones.

    INVARIANT: the cursor's lock is held and the run read again under it, so no claim is handed
    out behind a cancel or a pause, whichever commits first.
    """
    async with transaction(database) as session:
        cursor = await runs.lock_cursor(session, run_id)
        run = await runs.get_run(session, run_id)
        if cursor is None or run is None or run.state != "running":
            return None
        expired = await store.lock_expired(session, run_id)
        if expired is not None:
            return await take_over(session, expired, lease)
        if await store.has_due(session, run_id):
            return await store.insert_due(
                session, run_id, run.business_id, wanted=wanted, lease=lease
            )
        if cursor.next_seq > cursor.total:
            return None
        last = min(cursor.next_seq + wanted - 1, cursor.total)
        await runs.advance(session, run_id, last + 1)
        span = (cursor.next_seq, last)
        return await store.insert_range(session, run_id, run.business_id, span=span, lease=lease)


async def take_over(session: AsyncSession, claim: Claim, lease: Lease) -> Claim:
    """Take a claim from an owner whose lease has run out.

    INVARIANT: what that owner was sending becomes in doubt, whoever finds it; only what is still
    queued is sent.
    """
    taken = await store.take_over(session, claim.claim_id, lease)
    doubted = await jobs.doubt_sending(session, claim.claim_id)
    await attempts.settle(
        session,
        [(attempt_id, "in_doubt", None, "worker_lost") for _, attempt_id in doubted],
        said_by="take_over",
    )
    await decisions.add(
        session,
        [
            Decision(claim.business_id, claim.run_id, seq, "in_doubt", "worker_lost", attempt_id)
            for seq, attempt_id in doubted
        ],
    )
    log.warning(
        "claim.taken_over",
        extra={
            "claim": claim.claim_id,
            "run_id": claim.run_id,
            "token": taken.token,
            "in_doubt": len(doubted),
        },
    )
    return taken


async def doubt_stranded(database: Database, *, lease: float) -> None:
    """In runs that are not running: doubt what lost workers were sending, close what is empty.

    The claim is left without an owner, so nobody holds a token that an intent would accept.
    """
    async with transaction(database) as session:
        stranded = await store.stranded_runs(session)
    for run_id in stranded:
        async with transaction(database) as session:
            await runs.lock_cursor(session, run_id)
            run = await runs.get_run(session, run_id)
            expired = await store.lock_expired(session, run_id)
            if run is None or run.state == "running" or expired is None:
                continue
            taken = await take_over(session, expired, Lease(None, lease))
            await store.close(session, taken, owner=None)
