"""Claims: leases on a range of jobs, or on due ones, with a token that goes up with every owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.driver import fetch

_INSERT = text(
    """
INSERT INTO claims (run_id, business_id, kind, first_seq, last_seq, owner, expires_at)
VALUES (:run_id, :business_id, :kind, :first_seq, :last_seq, :owner,
        clock_timestamp() + make_interval(secs => :lease))
RETURNING claim_id, run_id, business_id, kind, first_seq, last_seq, token
"""
)
# The earliest are found by their time and locked by their numbers; who is still waiting then goes.
# The statement's own clock is looked up in the index; one that may move meanwhile is compared with
# every row that waits. Arrays and no joins: without statistics a join may read the whole run.
_MARK_DUE = text(
    """
WITH picked AS (
    SELECT seq, state FROM jobs
     WHERE run_id = :run_id AND seq = ANY (ARRAY(
           SELECT seq FROM jobs
            WHERE run_id = :run_id AND state = 'waiting' AND due_at <= statement_timestamp()
            ORDER BY due_at, seq LIMIT :wanted))
     ORDER BY seq FOR NO KEY UPDATE
)
UPDATE jobs SET state = 'queued', claim_id = :claim_id, due_at = NULL,
                changed_at = clock_timestamp()
 WHERE run_id = :run_id AND seq = ANY (ARRAY(SELECT seq FROM picked WHERE state = 'waiting'))
"""
)
_HAS_DUE = text(
    """
SELECT EXISTS (SELECT FROM jobs WHERE run_id = :run_id AND state = 'waiting'
                  AND due_at <= statement_timestamp())
"""
)
_LOST = text(
    """
SELECT claim_id, run_id, business_id, kind, first_seq, last_seq, token FROM claims
 WHERE run_id = :run_id AND closed_at IS NULL AND expires_at <= clock_timestamp()
   AND owner IS NOT NULL
 ORDER BY claim_id LIMIT 1 FOR NO KEY UPDATE
"""
)
_RELEASED = text(
    """
SELECT claim_id, run_id, business_id, kind, first_seq, last_seq, token FROM claims
 WHERE run_id = :run_id AND closed_at IS NULL AND expires_at <= clock_timestamp()
   AND owner IS NULL AND kind = :kind
 ORDER BY claim_id LIMIT 1 FOR NO KEY UPDATE
"""
)
_EXPIRED = text(
    """
SELECT claim_id, run_id, business_id, kind, first_seq, last_seq, token FROM claims
 WHERE run_id = :run_id AND closed_at IS NULL AND expires_at <= clock_timestamp()
 ORDER BY claim_id LIMIT 1 FOR NO KEY UPDATE
"""
)
_TAKE_OVER = text(
    """
UPDATE claims SET owner = :owner, token = token + 1,
       expires_at = clock_timestamp() + make_interval(secs => :lease)
 WHERE claim_id = :claim_id
RETURNING claim_id, run_id, business_id, kind, first_seq, last_seq, token
"""
)
_RENEW = text(
    """
UPDATE claims SET expires_at = clock_timestamp() + make_interval(secs => :lease)
  FROM unnest(CAST(:ids AS bigint[]), CAST(:tokens AS bigint[])) AS held (id, token)
 WHERE claims.claim_id = held.id AND claims.token = held.token AND claims.owner = :owner
   AND claims.closed_at IS NULL AND claims.expires_at > clock_timestamp()
RETURNING claims.claim_id
"""
)
# The claim first, then the gate of the business's suppressions (see `store.suppressions`): both in
# one statement, because whatever the intent reads comes after it and sees what passed the gate.
OWN = """own AS MATERIALIZED (
    SELECT business_id FROM claims
     WHERE claim_id = :claim_id AND token = :token AND owner = :owner AND closed_at IS NULL
       AND expires_at > clock_timestamp()
       FOR NO KEY UPDATE)"""
ENTERED = "SELECT 1, pg_advisory_xact_lock_shared(hashtextextended(business_id, 13)) FROM own"
_LOCK_OWN = text(f"WITH {OWN} {ENTERED}")
_CLOSE = text(
    """
UPDATE claims SET closed_at = clock_timestamp(), owner = NULL
 WHERE claim_id = :claim_id AND token = :token AND closed_at IS NULL
   AND NOT EXISTS (SELECT FROM jobs WHERE jobs.run_id = claims.run_id
                      AND jobs.claim_id = :claim_id)
   AND (kind = 'due' OR NOT EXISTS (
        SELECT FROM jobs WHERE jobs.run_id = claims.run_id
           AND jobs.seq BETWEEN claims.first_seq AND claims.last_seq
           AND jobs.state = 'queued' AND jobs.claim_id IS NULL))
"""
)
_RELEASE = text(
    """
UPDATE claims SET owner = NULL, token = claims.token + 1, expires_at = clock_timestamp()
 WHERE claim_id = :claim_id AND token = :token AND owner = :owner AND closed_at IS NULL
"""
)
_REVOKE = text(
    """
UPDATE claims SET token = token + 1 WHERE claim_id IN (
    SELECT claim_id FROM claims WHERE run_id = :run_id AND closed_at IS NULL
     ORDER BY claim_id FOR NO KEY UPDATE)
"""
)
_STILL_OURS = text(
    """
SELECT claims.claim_id
  FROM claims JOIN unnest(CAST(:ids AS bigint[]), CAST(:tokens AS bigint[])) AS held (id, token)
    ON claims.claim_id = held.id AND claims.token = held.token
 WHERE claims.owner = :owner AND claims.closed_at IS NULL
"""
)
_STRANDED = text(
    """
SELECT DISTINCT claims.run_id FROM claims JOIN runs USING (run_id)
 WHERE claims.closed_at IS NULL AND claims.expires_at <= clock_timestamp()
   AND runs.state <> 'running'
"""
)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a claim, if anybody, and for how many seconds."""

    owner: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on some jobs, as long as the token stands and the lease runs."""

    claim_id: int
    run_id: str
    business_id: str
    kind: str
    first_seq: int | None
    last_seq: int | None
    token: int

    @property
    def span(self) -> int | None:
        """How many jobs a range holds; a due claim's are counted by its rows only."""
        if self.first_seq is None or self.last_seq is None:
            return None
        return self.last_seq - self.first_seq + 1


async def insert_range(
    session: AsyncSession, run_id: str, business_id: str, *, span: tuple[int, int], lease: Lease
) -> Claim:
    """Open a claim on the jobs `span` (first, last); no job row is written."""
    first, last = span
    fields = {"kind": "range", "first_seq": first, "last_seq": last}
    return await _insert(session, run_id, business_id, fields, lease)


async def insert_due(
    session: AsyncSession, run_id: str, business_id: str, *, wanted: int, lease: Lease
) -> Claim:
    """Open a claim and put up to `wanted` due jobs into it, earliest first."""
    fields = {"kind": "due", "first_seq": None, "last_seq": None}
    claim = await _insert(session, run_id, business_id, fields, lease)
    parameters = {"claim_id": claim.claim_id, "run_id": run_id, "wanted": wanted}
    await session.execute(_MARK_DUE, parameters)
    return claim


async def _insert(
    session: AsyncSession,
    run_id: str,
    business_id: str,
    fields: Mapping[str, object],
    lease: Lease,
) -> Claim:
    owned = {"run_id": run_id, "business_id": business_id}
    held = {"owner": lease.owner, "lease": lease.seconds}
    return Claim(*(await session.execute(_INSERT, owned | held | dict(fields))).one())


async def has_due(session: AsyncSession, run_id: str) -> bool:
    """Whether a waiting job's time has come."""
    return bool((await session.execute(_HAS_DUE, {"run_id": run_id})).scalar())


async def lock_expired(session: AsyncSession, run_id: str) -> Claim | None:
    """Lock one claim of this run whose lease has run out, if there is one."""
    row = (await session.execute(_EXPIRED, {"run_id": run_id})).first()
    return None if row is None else Claim(*row)


async def lock_lost(session: AsyncSession, run_id: str) -> Claim | None:
    """Lock one claim of this run whose owner let its lease run out, if there is one."""
    row = (await session.execute(_LOST, {"run_id": run_id})).first()
    return None if row is None else Claim(*row)


async def lock_released(session: AsyncSession, run_id: str, *, kind: str) -> Claim | None:
    """Lock one claim of this run and kind that somebody let go of unfinished, if there is one."""
    row = (await session.execute(_RELEASED, {"run_id": run_id, "kind": kind})).first()
    return None if row is None else Claim(*row)


async def take_over(session: AsyncSession, claim_id: int, lease: Lease) -> Claim:
    """Give a locked claim a new owner, or none; either way its old token is worth nothing."""
    parameters = {"claim_id": claim_id, "owner": lease.owner, "lease": lease.seconds}
    return Claim(*(await session.execute(_TAKE_OVER, parameters)).one())


async def renew(session: AsyncSession, held: Mapping[int, int], lease: Lease) -> set[int]:
    """Extend the leases of these claims (id → token); the ids that are still ours."""
    parameters = {
        "ids": list(held),
        "tokens": list(held.values()),
        "owner": lease.owner,
        "lease": lease.seconds,
    }
    return set((await session.execute(_RENEW, parameters)).scalars())


async def still_ours(session: AsyncSession, held: Mapping[int, int], *, owner: str) -> set[int]:
    """Which of these claims (id → token) nobody has revoked; read without a lock."""
    parameters = {"ids": list(held), "tokens": list(held.values()), "owner": owner}
    return set((await session.execute(_STILL_OURS, parameters)).scalars())


async def lock_own(session: AsyncSession, claim: Claim, *, owner: str) -> bool:
    """Lock our claim, if it is still ours; an intent does so in `gate.enter`."""
    parameters = {"claim_id": claim.claim_id, "token": claim.token, "owner": owner}
    return bool(await fetch(session, _LOCK_OWN, parameters))


async def close(session: AsyncSession, claim: Claim, *, owner: str | None) -> bool:
    """Close a claim none of whose jobs is queued or sending; whether it is closed now."""
    if owner is not None and not await lock_own(session, claim, owner=owner):
        return False
    parameters = {"claim_id": claim.claim_id, "token": claim.token}
    result = await session.execute(_CLOSE, parameters)
    return int(result.rowcount) == 1  # type: ignore[attr-defined]  # present on DML results


async def release(session: AsyncSession, claim: Claim, *, owner: str) -> None:
    """Let go of a claim at once, so that another worker need not wait for the lease."""
    parameters = {"claim_id": claim.claim_id, "token": claim.token, "owner": owner}
    await session.execute(_RELEASE, parameters)


async def revoke_open(session: AsyncSession, run_id: str) -> None:
    """Make every token of this run's open claims, of both kinds, worth nothing.

    INVARIANT I4: every intent compares the token under the claim's lock, so once this commits
    none can. The run's cursor is locked by the caller.
    """
    await session.execute(_REVOKE, {"run_id": run_id})


async def stranded_runs(session: AsyncSession) -> Sequence[str]:
    """Runs that are not running and still have a claim whose lease has run out."""
    return list((await session.execute(_STRANDED)).scalars())
