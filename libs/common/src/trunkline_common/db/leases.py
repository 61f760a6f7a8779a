"""Named leases: of all replicas of a scheduler, one ticks. On the database's clock only."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

TABLE_V1 = """
CREATE TABLE leases (
    name       text PRIMARY KEY,
    owner      text NOT NULL,
    token      bigint NOT NULL DEFAULT 1,
    expires_at timestamptz NOT NULL
);
"""

_TAKE = text(
    """
INSERT INTO leases AS lease (name, owner, expires_at)
VALUES (:name, :owner, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (name) DO UPDATE
   SET owner = :owner,
       token = lease.token + CASE WHEN lease.owner = :owner THEN 0 ELSE 1 END,
       expires_at = clock_timestamp() + make_interval(secs => :seconds)
 WHERE lease.owner = :owner OR lease.expires_at <= clock_timestamp()
RETURNING token
"""
)
_RELEASE = text(
    "UPDATE leases SET expires_at = clock_timestamp() WHERE name = :name AND owner = :owner"
)


async def take(session: AsyncSession, name: str, *, owner: str, seconds: float) -> int | None:
    """Take or renew a lease; its token, or None while somebody else holds it."""
    row = await session.execute(_TAKE, {"name": name, "owner": owner, "seconds": seconds})
    token: int | None = row.scalar()
    return token


async def release(session: AsyncSession, name: str, *, owner: str) -> None:
    """Let the next replica take over at once instead of after the lease's end."""
    await session.execute(_RELEASE, {"name": name, "owner": owner})
