"""Runs: drafted, started once, and read while outbound works on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opentelemetry.propagate import inject
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import contents, errors
from trunkline_api.checks import check_startable
from trunkline_api.feeds import WAKE
from trunkline_api.store import channels, contacts, controls, feeds, forecasts, imports
from trunkline_api.store import runs as store
from trunkline_api.store.controls import Asked, NewControl
from trunkline_api.store.runs import NewRun, Run, RunContact
from trunkline_common.contracts.api import ChannelKind, RunPolicy, RunRequested
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit, wake_after_commit
from trunkline_common.ids import CONTROL, RUN, new_id


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a run is for: an import, named contacts, or everybody."""

    import_id: str | None = None
    contact_ids: Sequence[str] = ()

    @property
    def kind(self) -> str:
        return "import" if self.import_id else "contacts" if self.contact_ids else "all"


@dataclass(frozen=True, slots=True)
class Draft:
    """A run as it is asked for."""

    name: str
    channel: ChannelKind
    channel_id: str
    audience: Audience
    content: dict[str, Any]
    policy: dict[str, Any]


async def create(database: Database, business_id: str, draft: Draft, *, correlation_id: str) -> Run:
    """Keep a draft whose channel and audience are the business's own."""
    run_id = new_id(RUN)
    async with transaction(database) as session:
        channel = await channels.get(session, business_id, draft.channel_id)
        if channel is None:
            raise errors.invalid("#/channel_id", "there is no such channel")
        if channel.kind != draft.channel:
            raise errors.invalid("#/channel_id", f"this channel is for {channel.kind}")
        await contents.check_files(session, business_id, draft.content)
        list_id = await audience_list(session, business_id, run_id, draft.audience)
        new = NewRun(
            id=run_id,
            business_id=business_id,
            name=draft.name,
            channel=draft.channel,
            channel_id=draft.channel_id,
            audience=draft.audience.kind,
            list_id=list_id,
            content=draft.content,
            policy=draft.policy,
            correlation_id=correlation_id,
        )
        return await store.add(session, new)


async def audience_list(
    session: AsyncSession,
    business_id: str,
    list_id: str,
    audience: Audience,
    *,
    place: str = "#/audience",
) -> str | None:
    """The list of an audience: an import's, or this one with who is named on it; None: everybody.

    Raises a problem where the business has no such import or contact; `place` has them in the body.
    """
    if audience.import_id is not None:
        if await imports.get(session, business_id, audience.import_id) is None:
            raise errors.invalid(f"{place}/import_id", "there is no such import")
        return audience.import_id
    if not audience.contact_ids:
        return None
    wanted = list(dict.fromkeys(audience.contact_ids))
    unknown = await contacts.unknown_of(session, business_id, wanted)
    if unknown:
        detail = f"{len(unknown)} of these contacts do not exist, such as {unknown[0]}"
        raise errors.invalid(f"{place}/contact_ids", detail)
    await contacts.add_members(session, business_id, list_id, wanted)
    return list_id


async def start(
    database: Database,
    business_id: str,
    run_id: str,
    *,
    by: str,
    correlation_id: str,
    now: datetime,
    start_at: datetime | None = None,
) -> Run:
    """Start a draft, now or later. To ask twice is harmless: a started run is answered as it is.

    The fact and the right to feed the audience are rows of one transaction; the audience itself
    leaves in chunks, so a start takes as long for ten contacts as for a million, but for a look at
    each where the texts need a value from everybody.
    """
    async with transaction(database) as session:
        run = await store.lock(session, business_id, run_id)
        if run is None:
            raise errors.not_found("run")
        if run.state != "draft":
            return run
        await check_startable(session, run, now=now)
        name_commit(session, "api.start")
        run = await store.request(
            session, business_id, run_id, correlation_id=correlation_id, start_at=start_at
        )
        await controls.add(session, await _start_control(session, run, by, correlation_id))
        await forecasts.give_up(session, business_id, run_id)
        await _feed(session, run)
        await outbox.add(session, Fact(_requested(run), business_id, correlation_id))
        wake_after_commit(session, WAKE)
    return run


async def _feed(session: AsyncSession, run: Run) -> None:
    """Fix who the audience is, and let it leave if all of it has what the texts need."""
    carrier: dict[str, str] = {}
    inject(carrier)
    await feeds.add(
        session,
        run_id=run.id,
        business_id=run.business_id,
        list_id=run.list_id,
        correlation_id=run.correlation_id,
        traceparent=carrier.get("traceparent"),
    )
    if (fault := await contents.audience_fault(session, run)) is not None:
        raise fault


def _requested(run: Run) -> RunRequested:
    return RunRequested(
        run_id=run.id,
        display_name=run.name,
        channel=run.channel,
        channel_id=run.channel_id,
        content=contents.announced(run.content),
        policy=RunPolicy.model_validate(run.policy),
        start_at=run.start_at,
    )


async def _start_control(
    session: AsyncSession, run: Run, by: str, correlation_id: str
) -> NewControl:
    return NewControl(
        id=new_id(CONTROL),
        business_id=run.business_id,
        run_id=run.id,
        control="start",
        asked={"start_at": run.start_at.isoformat()} if run.start_at else {},
        asked_by=by,
        correlation_id=correlation_id,
        answer={},
        number=await controls.next_number(session, run.business_id, run.id),
    )


async def get(database: Database, business_id: str, run_id: str) -> Run | None:
    """One run."""
    async with transaction(database) as session:
        return await store.get(session, business_id, run_id)


async def detail(
    database: Database, business_id: str, run_id: str
) -> tuple[Run | None, list[Asked]]:
    """One run with its controls that have no answer yet."""
    async with transaction(database) as session:
        run = await store.get(session, business_id, run_id)
        return run, await controls.unanswered(session, business_id, run_id)


async def page(database: Database, business_id: str, *, before: str, limit: int) -> list[Run]:
    """Runs, newest first."""
    async with transaction(database) as session:
        return await store.page(session, business_id, before=before, limit=limit)


async def ended_contacts(
    database: Database, business_id: str, run_id: str, *, after: int, limit: int
) -> list[RunContact] | None:
    """How the turns that are over ended; None where the business has no such run."""
    async with transaction(database) as session:
        if await store.get(session, business_id, run_id) is None:
            return None
        return await store.contacts(session, business_id, run_id, after=after, limit=limit)
