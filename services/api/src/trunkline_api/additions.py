"""Contacts added to a run: a draft's list grows here, a run that goes on is fed in pieces.

An addition is a control: it is asked here, and outbound answers whether the run was still open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.propagate import inject
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import contents, controls, errors
from trunkline_api.domain.controls import FINAL_RUN
from trunkline_api.feeds import CHUNK_CONTACTS, WAKE, contact_of, fitting
from trunkline_api.runs import Audience, audience_list
from trunkline_api.store import additions as store
from trunkline_api.store import controls as control_store
from trunkline_api.store import runs
from trunkline_api.store.additions import AdditionFeed
from trunkline_api.store.controls import Asked, NewControl
from trunkline_api.store.runs import CHANGED, Run
from trunkline_common.contracts.runs import RunContactsAdded
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import wake_after_commit
from trunkline_common.ids import CONTROL, new_id


@dataclass(frozen=True, slots=True)
class Wish:
    """Whom to add; `by` is the key or the user."""

    audience: Audience
    by: str
    correlation_id: str

    @property
    def asked(self) -> dict[str, Any]:
        """What the audit says of it."""
        if self.audience.import_id is not None:
            return {"import_id": self.audience.import_id}
        return {"contact_ids": list(self.audience.contact_ids)}


async def ask(database: Database, business_id: str, run_id: str, wish: Wish) -> Asked:
    """Add, and wait a moment for outbound's answer. Raises a conflict where the run is closed."""
    is_looked_at = await _look_ahead(database, business_id, run_id, wish.audience)
    async with transaction(database) as session:
        run = await runs.lock(session, business_id, run_id)
        if run is None:
            raise errors.not_found("run")
        if run.state in FINAL_RUN or run.state == "cancelling":
            raise errors.run_over(run.state)
        if run.preparing:
            raise errors.audience_preparing()
        asked = await _keep(session, run, wish, is_looked_at=is_looked_at)
    return await controls.settled(database, business_id, asked)


async def _look_ahead(
    database: Database, business_id: str, run_id: str, audience: Audience
) -> bool:
    """Look at an import before the run is locked; whether that was done. Raises what is wrong.

    An import may be large, and a cancel or what outbound says of the run must not wait for it.
    Neither an import nor the texts of a run that was started change, so it need not be done again.
    """
    if audience.import_id is None:
        return False
    async with transaction(database) as session:
        run = await runs.get(session, business_id, run_id)
        if run is None or run.state == "draft":
            return False
        await _check_values(session, run, audience.import_id)
    return True


async def _keep(session: AsyncSession, run: Run, wish: Wish, *, is_looked_at: bool) -> Asked:
    control_id = new_id(CONTROL)
    list_id = await audience_list(session, run.business_id, control_id, wish.audience, place="#")
    if list_id is None:
        raise errors.invalid("#/contact_ids", "nobody is named")
    answer = None
    if run.state == "draft":
        answer = await _join(session, run, list_id)
    elif not is_looked_at:
        await _check_values(session, run, list_id)
    asked = await control_store.add(
        session,
        NewControl(
            id=control_id,
            business_id=run.business_id,
            run_id=run.id,
            control="add",
            asked=wish.asked,
            asked_by=wish.by,
            correlation_id=wish.correlation_id,
            answer=answer,
            number=await control_store.next_number(session, run.business_id, run.id),
        ),
    )
    if answer is None:
        await _feed(session, run, asked, list_id, wish.correlation_id)
    return asked


async def _check_values(session: AsyncSession, run: Run, list_id: str) -> None:
    """Nobody is added who lacks what the run's texts need; a draft is asked when it starts."""
    fault = await contents.audience_fault(session, replace(run, list_id=list_id))
    if fault is not None:
        raise fault


async def _join(session: AsyncSession, run: Run, list_id: str) -> dict[str, Any]:
    if run.list_id is None:
        raise errors.conflict("everybody-is-in", "the run is for everybody: nobody can be added")
    added, asked = await store.join_draft(
        session, run.business_id, run.id, list_id=run.list_id, from_list=list_id
    )
    wake_after_commit(session, CHANGED)
    return {"added": added, "rejects": asked - added}


async def _feed(
    session: AsyncSession, run: Run, asked: Asked, list_id: str, correlation_id: str
) -> None:
    carrier: dict[str, str] = {}
    inject(carrier)
    feed = AdditionFeed(
        control_id=asked.id,
        run_id=run.id,
        business_id=run.business_id,
        list_id=list_id,
        after_position=0,
        pieces=0,
        correlation_id=correlation_id,
        traceparent=carrier.get("traceparent"),
    )
    await store.add(session, feed)
    wake_after_commit(session, WAKE)


async def feed_next(database: Database) -> bool:
    """Let one piece of the addition whose turn it is leave; whether there was anything to do.

    INVARIANT: the piece's fact and the mark behind its last contact commit together, as with
    audiences; the last piece says how many there are.
    """
    async with transaction(database) as session:
        feed = await store.take_next(session)
        if feed is None:
            return False
        members = await store.members(session, feed, limit=CHUNK_CONTACTS)
        contacts = fitting([contact_of(member) for member in members])
        is_last = len(members) < CHUNK_CONTACTS and len(contacts) == len(members)
        number = feed.pieces + 1
        event = RunContactsAdded(
            run_id=feed.run_id,
            control_id=feed.control_id,
            piece=number,
            contacts=tuple(contacts),
            pieces=number if is_last else None,
        )
        fact = Fact(event, feed.business_id, feed.correlation_id, traceparent=feed.traceparent)
        await outbox.add(session, fact)
        if contacts:
            await store.advance(session, feed, members[len(contacts) - 1].position)
        if is_last:
            await store.close(session, feed)
    return True
