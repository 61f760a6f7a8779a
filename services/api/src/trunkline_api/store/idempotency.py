"""Idempotency keys: a claim with a token, what was committed under it, and the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import first


@dataclass(frozen=True, slots=True)
class Name:
    """Which request: whose, and by which key."""

    business_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Known:
    """What there is of a key: an answer, or how far its request came."""

    request_sha256: str
    committed: bool
    locked: bool
    status: int | None
    key_id: str | None
    sealed: str | None


# A key that is past its time is as new. One whose request died before anything was committed goes
# to whoever repeats that request; the token keeps the dead one, should it live, from committing.
_CLAIM: Final = text(
    """
INSERT INTO idempotency_keys AS known
       (business_id, key, request_sha256, token, locked_until, expires_at)
VALUES (:business_id, :key, :digest, :token,
        clock_timestamp() + make_interval(secs => :lock_seconds),
        clock_timestamp() + make_interval(secs => :keep_seconds))
ON CONFLICT (business_id, key) DO UPDATE
   SET request_sha256 = excluded.request_sha256, token = excluded.token,
       locked_until = excluded.locked_until, expires_at = excluded.expires_at,
       committed_at = NULL, status = NULL, key_id = NULL, sealed = NULL
 WHERE known.expires_at <= clock_timestamp()
    OR (known.status IS NULL AND known.committed_at IS NULL
        AND known.locked_until <= clock_timestamp()
        AND known.request_sha256 = excluded.request_sha256)
RETURNING token
"""
)
_KNOWN: Final = text(
    """
SELECT request_sha256, committed_at IS NOT NULL AS committed,
       locked_until > clock_timestamp() AS locked, status, key_id, sealed
  FROM idempotency_keys WHERE business_id = :business_id AND key = :key
"""
)
# A transaction has a number of its own only once it has written or locked something.
_MARK: Final = text(
    """
WITH wrote AS (SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS anything),
marked AS (
    UPDATE idempotency_keys SET committed_at = coalesce(committed_at, clock_timestamp())
      FROM wrote
     WHERE anything AND business_id = :business_id AND key = :key AND token = :token
    RETURNING 1
)
SELECT anything, EXISTS (SELECT FROM marked) AS ours FROM wrote
"""
)
_ANSWER: Final = text(
    """
UPDATE idempotency_keys SET status = :status, key_id = :key_id, sealed = :sealed
 WHERE business_id = :business_id AND key = :key AND token = :token
"""
)
_RELEASE: Final = text(
    """
DELETE FROM idempotency_keys
 WHERE business_id = :business_id AND key = :key AND token = :token
   AND committed_at IS NULL AND status IS NULL
"""
)
_UNLOCK: Final = text(
    """
UPDATE idempotency_keys SET locked_until = clock_timestamp()
 WHERE business_id = :business_id AND key = :key AND token = :token
"""
)
_PRUNE: Final = text(
    """
DELETE FROM idempotency_keys WHERE (business_id, key) IN (
    SELECT business_id, key FROM idempotency_keys WHERE expires_at <= clock_timestamp()
     ORDER BY expires_at LIMIT :batch FOR UPDATE SKIP LOCKED)
"""
)


def _values(name: Name, **more: Any) -> dict[str, Any]:
    return {"business_id": name.business_id, "key": name.key, **more}


async def claim(
    session: AsyncSession,
    name: Name,
    digest: str,
    token: str,
    *,
    lock_seconds: float,
    keep_seconds: float,
) -> bool:
    """Take a key for a request that is about to be carried out; whether it is ours now."""
    seconds = {"lock_seconds": lock_seconds, "keep_seconds": keep_seconds}
    values = _values(name, digest=digest, token=token, **seconds)
    return (await session.execute(_CLAIM, values)).first() is not None


async def known(session: AsyncSession, name: Name) -> Known | None:
    """What there is of a key that somebody has."""
    return first(await session.execute(_KNOWN, _values(name)), Known)


async def mark(session: AsyncSession, name: Name, token: str) -> tuple[bool, bool]:
    """Note in a transaction that it commits under the key: (has it written, is the key ours)."""
    row = (await session.execute(_MARK, _values(name, token=token))).one()
    return bool(row.anything), bool(row.ours)


async def keep_answer(
    session: AsyncSession, name: Name, token: str, *, status: int, key_id: str, sealed: str
) -> None:
    """Keep what was answered, sealed: it may hold a secret that is shown once."""
    values = _values(name, token=token, status=status, key_id=key_id, sealed=sealed)
    await session.execute(_ANSWER, values)


async def release(session: AsyncSession, name: Name, token: str) -> None:
    """Forget a key under which nothing was done."""
    await session.execute(_RELEASE, _values(name, token=token))


async def unlock(session: AsyncSession, name: Name, token: str) -> None:
    """Nobody works on it any more."""
    await session.execute(_UNLOCK, _values(name, token=token))


async def prune(session: AsyncSession, *, batch: int = 5_000) -> int:
    """Delete keys past their time, at most a batch; how many went."""
    result = await session.execute(_PRUNE, {"batch": batch})
    return int(result.rowcount)  # type: ignore[attr-defined]  # rowcount exists on DML results
