"""The numbers that a channel calls from: one for each attempt, within the caps of each number.

A channel with one number and no caps costs nothing here. INVARIANT: caps of a number hold, since
they are asked again while the limits of its account are locked, and everybody who takes a slot of
the account holds that lock until its commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.limits import NumberCaps
from trunkline_common.db import pace
from trunkline_common.db.pace import Grant
from trunkline_common.ids import number_scope
from trunkline_outbound.domain.senders import Beat, Sender, choose, day_of, departures, keep_within
from trunkline_outbound.store import senders as store
from trunkline_outbound.store.attempts import NewAttempt
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.jobs import QueuedJob
from trunkline_outbound.store.senders import Use

HORIZON = 1.0  # seconds, as the intent's: what may not leave within this is not reserved
SHORTEST_WAIT = 0.01
NO_CAPS = NumberCaps()


@dataclass(slots=True)
class Pool:
    """The numbers of a channel, on this day of its business.

    `retry_in`: when the first of those may call that only their pace keeps from it, as of the
    last look; None if there is none.
    """

    channel: Channel
    day: date
    retry_in: float | None = None

    @property
    def caps(self) -> NumberCaps:
        return self.channel.per_number or NO_CAPS

    async def numbers(self, session: AsyncSession, jobs: Sequence[QueuedJob]) -> list[str | None]:
        """A number for each of these jobs; None where no number has room for it."""
        if not jobs:
            return []
        addresses = [job.address for job in jobs]
        bonds = await store.bonds(session, self.channel, addresses)
        return choose(addresses, await self._senders(session), bonds)

    async def fitting(
        self, session: AsyncSession, new: Sequence[NewAttempt]
    ) -> Sequence[NewAttempt]:
        """Those whose number still has room now that the account's limits are locked."""
        if not new or self.channel.per_number is None:
            return new
        numbers = [attempt.from_number for attempt in new]
        return [new[place] for place in keep_within(numbers, await self._senders(session))]

    async def spend(
        self, session: AsyncSession, granted: Sequence[NewAttempt], account: Grant
    ) -> Sequence[float]:
        """Write down who calls whom, and reserve each number's pace; when each may leave."""
        await store.spend(session, self.channel, granted, day=self.day)
        numbers = [attempt.from_number for attempt in granted]
        own: dict[str, Beat] = {}
        if self.caps.per_second is not None:
            for number in sorted(set(numbers)):
                scope = number_scope(self.channel.scope, number)
                wanted = numbers.count(number)
                grant = await pace.reserve(session, scope, wanted=wanted, horizon=2 * HORIZON)
                own[number] = Beat(grant.first_in, grant.interval)
        return departures(numbers, Beat(account.first_in, account.interval), own)

    async def _senders(self, session: AsyncSession) -> list[Sender]:
        self.retry_in = None
        used = await store.use(
            session, self.channel, day=self.day, counts_air=self.caps.concurrent is not None
        )
        return [Sender(u.number, u.used_at, await self._room(session, u)) for u in used]

    async def _room(self, session: AsyncSession, used: Use) -> int | None:
        """How many more calls a number may make now; None without any cap."""
        caps = self.caps
        rooms = []
        if caps.concurrent is not None:
            rooms.append(caps.concurrent - used.in_the_air)
        if caps.per_day is not None:
            rooms.append(caps.per_day - used.today)
        if caps.per_second is not None and min(rooms, default=1) > 0:
            outlook = await pace.look(session, [number_scope(self.channel.scope, used.number)])
            paced = outlook.within(HORIZON)
            if paced is not None:
                rooms.append(paced)
            if paced == 0:
                again_in = max(outlook.ends_in - HORIZON, SHORTEST_WAIT)
                self.retry_in = min(again_in, self.retry_in or again_in)
        return max(min(rooms), 0) if rooms else None


def pool_of(channel: Channel, zone: str | None, now: datetime) -> Pool | None:
    """The channel's pool; None where there is nothing to choose and nothing to count."""
    if channel.kind != "voice" or (len(channel.senders) == 1 and channel.per_number is None):
        return None
    return Pool(channel, day_of(now, zone))
