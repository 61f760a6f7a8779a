"""Forecasts: a run counted piece by piece, by the rules of the gate, and told once it is whole.

A run that outbound has is counted here; a draft's audience is api's, which shows it in pieces and
carries the tally from one to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RunPolicy
from trunkline_common.contracts.envelope import Envelope
from trunkline_common.contracts.runs import (
    Forecast,
    Limit,
    RunForecasted,
    RunForecastRequested,
)
from trunkline_common.db import Database, outbox, pace, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.outcomes import Refuse, TryLater
from trunkline_outbound.admitting import window_of
from trunkline_outbound.domain.forecasts import NOT_FORESEEN, Person, Tally, foresee
from trunkline_outbound.number_limits import NUMBERS_PER_DAY, NumberLimits, limits_of
from trunkline_outbound.store import audience, channels, runs, suppressions
from trunkline_outbound.store import forecasts as store
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.forecasts import Candidate, Wanted
from trunkline_outbound.store.jobs import QueuedJob

BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A run as its forecast needs it, whoever holds its audience."""

    run_id: str
    business_id: str
    channel: str
    channel_id: str
    policy: RunPolicy


async def request(session: AsyncSession, envelope: Envelope[RunForecastRequested]) -> None:
    """Let a run be counted, for whoever asked."""
    event = envelope.event
    run = await runs.get_run(session, event.run_id)
    if run is None:
        raise TryLater(f"run {event.run_id} is not known yet")
    if run.business_id != envelope.business_id:
        raise Refuse(f"run {event.run_id} does not belong to business {envelope.business_id}")
    await store.want(session, run.run_id, business_id=run.business_id, asked=event.asked)


async def count_next(database: Database, *, batch: int = BATCH) -> bool:
    """Count some of the run whose turn it is, and tell of it after its last; whether there was one.

    INVARIANT: what was counted and the mark behind it commit together, so nobody is counted twice.
    """
    async with transaction(database) as session:
        wanted = await store.take_next(session)
        if wanted is None:
            return False
        run = await runs.get_run(session, wanted.run_id)
        if run is None:
            await store.told(session, wanted.run_id)
            return True
        plan = Plan(run.run_id, run.business_id, run.channel, run.channel_id, run.policy)
        people = await store.people(session, wanted, limit=batch)
        tally = Tally(**wanted.tally)
        await look_at(session, plan, tally, [person for person in people if person.is_untried])
        if len(people) == batch:
            mark = people[-1].seq
            await store.save(session, run.run_id, after_seq=mark, tally=asdict(tally))
        else:
            await _tell(session, run, plan, wanted, tally)
    return True


async def look_at(
    session: AsyncSession, plan: Plan, tally: Tally, people: Sequence[Candidate]
) -> None:
    """Count these contacts as an intent of now would judge them."""
    zone, _ = await store.business(session, plan.business_id)
    if not people:
        return
    now, _ = await store.moment(session, plan.run_id)
    jobs = [QueuedJob(p.seq, p.contact_id, p.address, 0, now, p.zone) for p in people]
    found = await suppressions.find(session, plan, jobs)
    windowed = plan.policy.window is not None
    for job in jobs:
        kind = found[job.seq].kind if job.seq in found else None
        person = Person(job.address, job.zone, kind)
        tally.add(person, windowed=windowed, business_zone=zone)


async def conclude(
    session: AsyncSession,
    plan: Plan,
    tally: Tally,
    *,
    start_at: datetime | None = None,
    duplicates: int | None = None,
) -> Forecast:
    """What the counts mean at the moment of now, or of the start."""
    now, kept = await store.moment(session, plan.run_id)
    begins = start_at or kept
    at = max(now, begins) if begins else now
    zone, holidays = await store.business(session, plan.business_id)
    channel = await channels.get_channel(session, plan.channel_id, business_id=plan.business_id)
    numbers = NumberLimits()
    if channel is not None:
        numbers = await limits_of(session, channel, zone, now=now, at=at)
    mean, limits = await _limits(session, plan, channel, numbers)
    paces = [limit.per_second for limit in limits if limit.rule != NUMBERS_PER_DAY]
    window = window_of(plan.policy, holidays)
    slowest = min(paces, default=None)
    outlook = foresee(tally.zones, window, per_second=slowest, at=at, quota=numbers.quota)
    return Forecast(
        at=at,
        contacts=tally.contacts,
        suppressed=tally.suppressed,
        invalid=tally.invalid,
        duplicates=duplicates,
        zone_unknown=tally.zone_unknown,
        limits=limits,
        mean_call_seconds=mean,
        not_foreseen=NOT_FORESEEN,
        **asdict(outlook),
    )


async def _limits(
    session: AsyncSession, plan: Plan, channel: Channel | None, numbers: NumberLimits
) -> tuple[float | None, tuple[Limit, ...]]:
    """How long a call takes, and what bounds the pace; the slowest first."""
    found = dict(numbers.paces)
    if plan.policy.per_second is not None:
        found["run_pace"] = plan.policy.per_second
    caps = [await store.business_cap(session, plan.business_id), plan.policy.concurrent]
    caps.append(numbers.concurrent)
    if channel is not None:
        outlook = await pace.look(session, [channel.scope])
        found["account_pace"] = outlook.per_second or channel.per_second
        caps.append(channel.concurrent)
    mean = None
    if plan.channel == "voice":
        mean = await store.mean_call_seconds(
            session, plan.run_id, plan.channel_id, business_id=plan.business_id
        )
    known = [cap for cap in caps if cap is not None]
    if mean and known:
        found["concurrency"] = min(known) / mean
    ordered = sorted(found.items(), key=lambda limit: limit[1])
    return mean, tuple(Limit(rule=rule, per_second=round(rate, 6)) for rule, rate in ordered)


async def _tell(
    session: AsyncSession, run: runs.Run, plan: Plan, wanted: Wanted, tally: Tally
) -> None:
    rejects = await audience.count_rejects(session, run.run_id)
    forecast = await conclude(session, plan, tally, duplicates=rejects)
    event = RunForecasted(run_id=run.run_id, asked=wanted.asked, forecast=forecast)
    await store.told(session, run.run_id)
    fact = Fact(event, run.business_id, run.correlation_id, traceparent=run.traceparent)
    await outbox.add(session, fact)
