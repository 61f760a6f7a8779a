"""How fast a sender may send: GCRA in one UPDATE, exact across workers and restarts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.driver import fetch

TABLE_V1 = """
CREATE TABLE pace (
    sender     text PRIMARY KEY,
    per_second double precision NOT NULL CHECK (per_second > 0),
    tat        timestamptz NOT NULL DEFAULT '-infinity',
    granted    integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
"""

# `lowered`: what a provider's limit left of the pace when it last spoke, at `limited_at`.
TABLE_V2 = """
ALTER TABLE pace ADD COLUMN lowered double precision CHECK (lowered > 0),
                 ADD COLUMN lowered_at timestamptz,
                 ADD COLUMN limited_at timestamptz;
"""

STEP_SECONDS = 10  # a pace is lowered once in this time, and raised once in it without a limit
RAISE_SHARE = 0.1  # of the pace that was set, for each step
LOWEST_SHARE, LOWEST = 0.1, 0.1  # of the pace that was set, and in requests a second

# Nobody has to raise a pace again: what it is now follows from the row and the clock.
_RATE = f"""least(per_second, lowered + per_second * {RAISE_SHARE} * floor(
                extract(epoch FROM clock_timestamp() - limited_at) / {STEP_SECONDS}))"""

# Everything is read from the row itself and the clock at the moment of its lock: a joined copy of
# the row, or a time taken before waiting for the lock, would grant the same second twice.
_RESERVE = text(
    f"""
UPDATE pace
   SET granted = CASE
           WHEN tat > clock_timestamp() + make_interval(secs => :horizon) THEN 0
           ELSE least(:wanted, 1 + floor({_RATE} * extract(epoch FROM
                clock_timestamp() + make_interval(secs => :horizon)
                - greatest(tat, clock_timestamp()))))
       END,
       tat = CASE
           WHEN tat > clock_timestamp() + make_interval(secs => :horizon) THEN tat
           ELSE greatest(tat, clock_timestamp()) + make_interval(secs => least(:wanted,
                1 + floor({_RATE} * extract(epoch FROM
                clock_timestamp() + make_interval(secs => :horizon)
                - greatest(tat, clock_timestamp())))) / {_RATE})
       END
 WHERE sender = :sender
RETURNING granted, {_RATE} AS rate, extract(epoch FROM tat - clock_timestamp()) AS ends_in
"""  # noqa: S608 - put together from what is written above
)
_SLOW = text(
    f"""
UPDATE pace
   SET lowered = CASE
           WHEN lowered_at > clock_timestamp() - make_interval(secs => {STEP_SECONDS}) THEN lowered
           ELSE greatest({_RATE} / 2, per_second * {LOWEST_SHARE}, {LOWEST})
       END,
       lowered_at = CASE
           WHEN lowered_at > clock_timestamp() - make_interval(secs => {STEP_SECONDS})
           THEN lowered_at ELSE clock_timestamp()
       END,
       limited_at = clock_timestamp(),
       tat = greatest(tat, clock_timestamp() + make_interval(secs => :hold))
 WHERE sender = :sender
RETURNING {_RATE} AS rate
"""  # noqa: S608 - put together from what is written above
)
_SET = text(
    """
INSERT INTO pace (sender, per_second) VALUES (:sender, :per_second)
ON CONFLICT (sender) DO UPDATE SET per_second = :per_second
 WHERE pace.per_second <> :per_second
"""
)
_UNSET = text("DELETE FROM pace WHERE sender = :sender")
_LOOK = text(
    f"""
SELECT min({_RATE}) AS per_second,
       max(extract(epoch FROM greatest(tat, clock_timestamp()) - clock_timestamp())) AS ends_in
  FROM pace WHERE sender = ANY (CAST(:senders AS text[]))
"""  # noqa: S608 - put together from what is written above
)


@dataclass(frozen=True, slots=True)
class Grant:
    """How many may go; the i-th of them `first_in + i * interval` seconds from now.

    With nothing granted, `first_in` is when to ask again.
    """

    count: int
    first_in: float
    interval: float


async def set_pace(session: AsyncSession, sender: str, per_second: float | None) -> None:
    """Let a sender send this many requests a second from now on; None: as fast as it can."""
    if per_second is None:
        await session.execute(_UNSET, {"sender": sender})
    else:
        await session.execute(_SET, {"sender": sender, "per_second": per_second})


@dataclass(frozen=True, slots=True)
class Outlook:
    """The slowest of some senders' paces, and the seconds for which all is reserved already."""

    per_second: float | None
    ends_in: float

    def within(self, horizon: float) -> int | None:
        """How many more may leave within so many seconds; None where there is no pace."""
        if self.per_second is None:
            return None
        left = horizon - self.ends_in
        return 1 + int(self.per_second * left) if left >= 0 else 0


async def look(session: AsyncSession, senders: Sequence[str]) -> Outlook:
    """What may be expected of these senders together; nothing is locked or reserved."""
    row = (await session.execute(_LOOK, {"senders": list(senders)})).one()
    if row.per_second is None:
        return Outlook(None, 0.0)
    return Outlook(float(row.per_second), max(float(row.ends_in), 0.0))


async def reserve(
    session: AsyncSession, sender: str, *, wanted: int, horizon: float = 1.0
) -> Grant:
    """Reserve up to `wanted` departures within the next `horizon` seconds.

    A sender without a row has no pace of its own. Unused reservations are not given back.
    """
    parameters = {"sender": sender, "wanted": wanted, "horizon": horizon}
    rows = await fetch(session, _RESERVE, parameters)
    if not rows:
        return Grant(wanted, 0.0, 0.0)
    ((granted, rate, ends),) = rows
    interval, ends_in = 1 / float(rate), float(ends)
    if granted == 0:
        return Grant(0, max(ends_in - horizon, 0.0), interval)
    return Grant(granted, max(ends_in - granted * interval, 0.0), interval)


async def slow(session: AsyncSession, limited: Mapping[str, float]) -> dict[str, float]:
    """Halve the pace of senders that a provider called too fast, and hold each for its seconds.

    Once a step, however many requests were refused in it; it rises by itself when the provider
    is content again. Their paces now, of those that have one.
    """
    rates = {}
    for sender in sorted(limited):  # locked in one order by everybody
        row = (await session.execute(_SLOW, {"sender": sender, "hold": limited[sender]})).first()
        if row is not None:
            rates[sender] = float(row.rate)
    return rates
