"""How the numbers of an account's pool were used, and which of them called whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_outbound.store.attempts import NewAttempt
from trunkline_outbound.store.channels import Channel

# What is in the air is counted from the slots themselves, so it cannot drift.
_USE = text(
    """
SELECT wanted.number, known.used_at,
       CASE WHEN known.day = CAST(:day AS date) THEN known.used ELSE 0 END AS used_today,
       CASE WHEN :counts_air THEN (
            SELECT count(*) FROM slots JOIN attempts
                ON attempts.run_id = slots.run_id AND attempts.attempt_id = slots.attempt_id
             WHERE slots.account = :scope AND attempts.from_number = wanted.number) ELSE 0
       END AS in_the_air
  FROM unnest(CAST(:numbers AS text[])) AS wanted (number)
  LEFT JOIN sender_use AS known ON known.business_id = :business_id
        AND known.account = :account AND known.number = wanted.number
"""
)
_BONDS = text(
    """
SELECT address, number FROM sender_bonds
 WHERE business_id = :business_id AND account = :account
   AND address = ANY (CAST(:addresses AS text[]))
"""
)
_SPEND = text(
    """
WITH called AS (
    SELECT * FROM unnest(CAST(:numbers AS text[]), CAST(:addresses AS text[]))
        AS called (number, address)
), bound AS (
    INSERT INTO sender_bonds (business_id, account, address, number)
    SELECT :business_id, :account, address, number FROM called ORDER BY address
    ON CONFLICT (business_id, account, address) DO UPDATE
       SET number = excluded.number, used_at = excluded.used_at
)
INSERT INTO sender_use (business_id, account, number, day, used)
SELECT :business_id, :account, number, CAST(:day AS date), count(*) FROM called
 GROUP BY number ORDER BY number
ON CONFLICT (business_id, account, number) DO UPDATE
   SET used = excluded.used
            + CASE WHEN sender_use.day = excluded.day THEN sender_use.used ELSE 0 END,
       day = excluded.day, used_at = excluded.used_at
"""
)


@dataclass(frozen=True, slots=True)
class Use:
    """How a number was used: last, today, and what of it is in the air (if that is counted)."""

    number: str
    used_at: datetime | None
    today: int
    in_the_air: int


async def use(session: AsyncSession, channel: Channel, *, day: date, counts_air: bool) -> list[Use]:
    """How each number of the channel was used; exact while its account's limits are locked."""
    parameters = _of(channel) | {
        "scope": channel.scope,
        "numbers": list(channel.senders),
        "day": day,
        "counts_air": counts_air,
    }
    return [Use(*row) for row in await session.execute(_USE, parameters)]


async def bonds(
    session: AsyncSession, channel: Channel, addresses: Sequence[str]
) -> Mapping[str, str]:
    """Which number of this account called each of these addresses last."""
    rows = await session.execute(_BONDS, _of(channel) | {"addresses": list(addresses)})
    return {row.address: row.number for row in rows}


async def spend(
    session: AsyncSession, channel: Channel, granted: Sequence[NewAttempt], *, day: date
) -> None:
    """Note who calls whom, and count it for the day; its account's limits are locked."""
    parameters = _of(channel) | {
        "numbers": [attempt.from_number for attempt in granted],
        "addresses": [attempt.to_number for attempt in granted],
        "day": day,
    }
    await session.execute(_SPEND, parameters)


def _of(channel: Channel) -> dict[str, object]:
    return {"business_id": channel.business_id, "account": channel.account}
