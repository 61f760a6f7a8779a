"""Children of runs: those whose turns ended in chosen ways, once more, as a run of their own.

Whose they are, outbound says: api hears of jobs that a cancel closed as counts only. A page of them
is put on the child's list at a time; a child whose request has ended is gone on with by a loop.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import contents, errors, runs
from trunkline_api.domain.controls import FINAL_RUN
from trunkline_api.gateways.outcomes import PAGE, OutcomeReader, Outcomes
from trunkline_api.store import controls
from trunkline_api.store import reruns as store
from trunkline_api.store import runs as run_store
from trunkline_api.store.controls import NewControl
from trunkline_api.store.reruns import Build
from trunkline_api.store.runs import NewRun, Run
from trunkline_common.db import Database, transaction
from trunkline_common.http import Problem
from trunkline_common.ids import CONTROL, RUN, new_id

PATIENCE_SECONDS: Final = 2.0  # how long a request goes on gathering
IDLE_SECONDS: Final = 5.0  # a child that its own request has left is gone on with after this
TURN_SECONDS: Final = 10.0  # of a large child, before it is the next one's turn


@dataclass(frozen=True, slots=True)
class Wish:
    """A child as it is asked for; `by` is the key or the user."""

    key: str
    outcomes: list[str]
    by: str
    correlation_id: str
    name: str | None = None
    content: dict[str, Any] | None = None
    policy: dict[str, Any] = field(default_factory=dict)
    starts: bool = False
    start_at: datetime | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What must be the same when it is asked again."""
        return {
            "key": self.key,
            "outcomes": sorted(self.outcomes),
            "name": self.name,
            "content": self.content,
            "policy": self.policy,
            "starts": self.starts,
            "start_at": self.start_at.isoformat() if self.start_at else None,
        }


async def ask(
    database: Database, reader: OutcomeReader, business_id: str, parent_id: str, wish: Wish
) -> tuple[Run, bool]:
    """The run's child under this key, and whether it was made now. One key is one child.

    Raises a problem where the parent goes on, nobody ended so, or the key has another child.
    """
    async with transaction(database) as session:
        known = await _known(session, business_id, parent_id, wish)
    if known is not None:
        return known, False
    build = _build(business_id, parent_id, wish)
    page = await reader.page(build)
    _check(page)
    async with transaction(database) as session:
        parent = await run_store.lock(session, business_id, parent_id)
        if parent is None:
            raise errors.not_found("run")
        known = await _known(session, business_id, parent_id, wish)
        if known is not None:  # another request was faster
            return known, False
        await _add(session, parent, build, wish)
        await _gather(session, build, page, limit=PAGE)
    await _gather_for_a_while(database, reader, build)
    made = await runs.get(database, business_id, build.run_id)
    if made is None:
        raise errors.not_found("run")
    return made, True


async def _known(session: AsyncSession, business_id: str, parent_id: str, wish: Wish) -> Run | None:
    parent = await run_store.get(session, business_id, parent_id)
    if parent is None:
        raise errors.not_found("run")
    child = await store.child(session, business_id, parent_id, wish.key)
    if child is None:
        if parent.state not in FINAL_RUN:
            raise errors.conflict("run-not-over", f"the run is {parent.state}: it must have ended")
        return None
    if await store.asked_of(session, business_id, child.id) != wish.asked:
        detail = f"{child.id} was made under this key, and was asked for differently"
        raise errors.conflict("rerun-key-taken", detail)
    return child


def _build(business_id: str, parent_id: str, wish: Wish) -> Build:
    return Build(
        run_id=new_id(RUN),
        business_id=business_id,
        parent_id=parent_id,
        control_id=new_id(CONTROL),
        outcomes=sorted(set(wish.outcomes)),
        starts=wish.starts or wish.start_at is not None,
        start_at=wish.start_at,
        asked_by=wish.by,
        correlation_id=wish.correlation_id,
    )


def _check(page: Outcomes | None) -> None:
    if page is not None and page.state not in FINAL_RUN:
        raise errors.conflict("run-not-over", f"the run is {page.state}: it must have ended")
    if page is None or not page.data:
        raise errors.conflict("nothing-to-rerun", "nobody's turn in the run ended in these ways")


async def _add(session: AsyncSession, parent: Run, build: Build, wish: Wish) -> None:
    merged = {**parent.policy, **wish.policy}
    lacking = contents.unsaid(parent.channel, contents.read(wish.content or parent.content))
    if lacking is not None:
        raise errors.invalid("#/content", lacking)
    await contents.check_files(session, parent.business_id, wish.content or {})
    new = NewRun(
        id=build.run_id,
        business_id=parent.business_id,
        name=wish.name or f"{parent.name[:180]} (again)",
        channel=parent.channel,
        channel_id=parent.channel_id,
        audience="contacts",
        list_id=build.run_id,
        content=wish.content or parent.content,
        policy={name: value for name, value in merged.items() if value is not None},
        correlation_id=wish.correlation_id,
    )
    await run_store.add(session, new)
    await store.adopt(session, build, key=wish.key, asked=wish.asked)
    control = NewControl(
        id=build.control_id,
        business_id=parent.business_id,
        run_id=parent.id,
        control="rerun",
        asked=wish.asked | {"child_id": build.run_id},
        asked_by=wish.by,
        correlation_id=wish.correlation_id,
        number=await controls.next_number(session, parent.business_id, parent.id),
    )
    await controls.add(session, control)


async def _gather(
    session: AsyncSession, build: Build, page: Outcomes | None, *, limit: int
) -> None:
    ended = [(one.seq, one.contact_id) for one in page.data] if page else []
    await store.gather(session, build, ended, is_last=len(ended) < limit)


async def _gather_for_a_while(database: Database, reader: OutcomeReader, build: Build) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    goes_on = True
    try:
        while goes_on and loop.time() < deadline:
            goes_on = await gather_some(database, reader, build.business_id, build.run_id)
    except Problem:  # the child is there: the loop goes on with it when outbound is back
        return


async def gather_next(
    database: Database, reader: OutcomeReader, *, idle: float = IDLE_SECONDS
) -> bool:
    """Go on with a child that its request has left; whether there was one."""
    async with transaction(database) as session:
        build = await store.next_build(session, idle=idle)
    if build is None:
        return False
    until = time.monotonic() + TURN_SECONDS
    while await gather_some(database, reader, build.business_id, build.run_id):
        if time.monotonic() >= until:
            break
    return True


async def gather_some(
    database: Database,
    reader: OutcomeReader,
    business_id: str,
    run_id: str,
    *,
    limit: int = PAGE,
) -> bool:
    """Put one more page on a child's list, or end it; whether there is more to do."""
    async with transaction(database) as session:
        build = await store.open_build(session, business_id, run_id)
    if build is None:
        return False
    if build.listed_at is not None:
        await _finish(database, build)
        return False
    page = await reader.page(build, limit=limit)
    async with transaction(database) as session:
        await _gather(session, build, page, limit=limit)
    return True


async def _finish(database: Database, build: Build) -> None:
    """Start a whole child if that was asked for; what speaks against it is kept as its answer."""
    refused: Problem | None = None
    if build.starts:
        try:
            await runs.start(
                database,
                build.business_id,
                build.run_id,
                by=build.asked_by,
                correlation_id=build.correlation_id,
                now=datetime.now(UTC),
                start_at=build.start_at,
            )
        except Problem as problem:
            refused = problem
    async with transaction(database) as session:
        contacts = await store.close(session, build)
        answer: dict[str, Any] = {"child_id": build.run_id, "contacts": contacts}
        if refused is not None:
            answer |= {"start_refused": refused.type_slug, "detail": refused.detail}
        await controls.answer(
            session, build.business_id, build.control_id, done=True, answer=answer
        )


async def page(
    database: Database, business_id: str, run_id: str, *, before: str, limit: int
) -> list[Run] | None:
    """A run's children, newest first; None where the business has no such run."""
    async with transaction(database) as session:
        if await run_store.get(session, business_id, run_id) is None:
            return None
        return await store.page(session, business_id, run_id, before=before, limit=limit)
