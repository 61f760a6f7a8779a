"""What speaks against a draft: everything that a start would refuse, and what it would not reach.

A start asks the same questions, so what is found valid here starts, as long as nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import contents, errors
from trunkline_api.domain.candidates import available_zones
from trunkline_api.domain.openings import opens_ever
from trunkline_api.store import businesses, channels, contacts, runs
from trunkline_api.store import checks as store
from trunkline_api.store.businesses import Business
from trunkline_api.store.runs import Run
from trunkline_common.db import Database, transaction
from trunkline_common.http import Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a draft; `blocks`: it would not be started."""

    problem: Problem
    blocks: bool = True


async def validate(
    database: Database, business_id: str, run_id: str, *, start_at: datetime | None, now: datetime
) -> list[Finding]:
    """Everything that is wrong with a draft at once; nothing of it changes."""
    async with transaction(database) as session:
        run = await runs.get(session, business_id, run_id)
        if run is None:
            raise errors.not_found("run")
        if run.state != "draft":
            raise errors.conflict("not-a-draft", f"it was started: the run is {run.state}")
        found = [Finding(problem) for problem in await faults(session, run, now=now)]
        if (lacking := await contents.audience_fault(session, run)) is not None:
            found.append(Finding(lacking))  # a start asks behind its feed, of the very same people
        if start_at is not None and start_at <= now:
            found.append(Finding(errors.start_in_past()))
        return found + await _beside(session, run)


async def check_startable(session: AsyncSession, run: Run, *, now: datetime) -> None:
    """Raise the first problem that keeps a draft from being started."""
    for problem in await faults(session, run, now=now):
        raise problem


async def faults(session: AsyncSession, run: Run, *, now: datetime) -> list[Problem]:
    """What keeps a draft from being started."""
    found = []
    if run.preparing:
        found.append(errors.audience_preparing())
    channel = await channels.get(session, run.business_id, run.channel_id)
    if channel is None or not channel.enabled:
        found.append(errors.channel_disabled())
    if not await contacts.is_there_any(session, run.business_id, run.list_id):
        found.append(errors.empty_audience())
    zeros = [name for name in ("per_second", "concurrent") if run.policy.get(name) == 0]
    if zeros:
        found.append(errors.pace_zero([f"#/policy/{name}" for name in zeros]))
    business = await businesses.get(session, run.business_id)
    window = run.policy.get("window")
    if window and business:
        found += _of_window(window, business, now)
    return found


def _of_window(window: dict[str, object], business: Business, now: datetime) -> list[Problem]:
    found = []
    if not opens_ever(window, set(business.holidays), now.date()):
        found.append(errors.window_never_opens())
    if business.time_zone not in available_zones():
        found.append(errors.unknown_zone("business/time_zone", "the business's zone has no name"))
    return found


async def _beside(session: AsyncSession, run: Run) -> list[Finding]:
    """Who would not be reached although the run is started."""
    found = []
    skipped = await store.suppressed(session, run)
    if skipped.many:
        found.append(errors.suppressed_contacts(skipped.many, skipped.examples))
    if run.policy.get("window"):
        lost = await store.nowhere(session, run, available_zones())
        if lost.many:
            detail = f"{lost.many} contacts have a zone of no name, such as {lost.examples[0]}"
            found.append(errors.unknown_zone("#/audience", detail))
    return [Finding(problem, blocks=False) for problem in found]
