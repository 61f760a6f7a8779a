"""Suppressing and lifting: a list is taken whole or not at all, and told in the same commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import errors
from trunkline_api.domain.suppressions import Entry, Misread, read_value
from trunkline_api.keys import Caller
from trunkline_api.store import contacts
from trunkline_api.store import suppressions as store
from trunkline_api.store.suppressions import Suppression
from trunkline_common.contracts.suppressions import (
    ContactSuppressed,
    ContactUnsuppressed,
    SuppressionKind,
)
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact

Faults = list[tuple[int, str, str]]  # (place in the list, field, what is wrong with it)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is in force for each entry now, and which of it is new."""

    suppressions: Sequence[Suppression]
    added: frozenset[str]


async def suppress(
    database: Database,
    caller: Caller,
    entries: Sequence[Entry],
    *,
    correlation_id: str,
    pointer: str = "#/entries/{place}/{field}",
) -> Outcome:
    """Suppress all of these, or none where one is wrong; what was suppressed before stays as is."""
    wanted, faults = _read(entries, caller.country)
    async with transaction(database) as session:
        await store.lock(session, caller.business_id)
        faults += await _unknown(session, caller.business_id, entries, faults)
        if faults:
            places = [(pointer.format(place=n, field=f), why) for n, f, why in sorted(faults)]
            raise errors.invalid_places(places)
        return await add(
            session, caller.business_id, wanted, by=caller.key_id, correlation_id=correlation_id
        )


async def add(
    session: AsyncSession,
    business_id: str,
    entries: Sequence[Entry],
    *,
    by: str,
    correlation_id: str,
) -> Outcome:
    """Suppress these values, which were read before, and tell it in the same commit."""
    await store.lock(session, business_id)
    added = await store.add_missing(
        session, business_id, entries, by=by, correlation=correlation_id
    )
    kept = await store.in_force(session, business_id, entries)
    new = {one.id: one for one in kept if one.id in added}
    facts = [_suppressed(one, business_id, correlation_id) for one in new.values()]
    await outbox.add_all(session, facts)
    return Outcome(kept, frozenset(added))


def _read(entries: Sequence[Entry], country: str) -> tuple[list[Entry], Faults]:
    wanted: list[Entry] = []
    faults: Faults = []
    for place, entry in enumerate(entries):
        value = read_value(entry.kind, entry.value, country)
        if isinstance(value, Misread):
            faults.append((place, "value", value.detail))
        else:
            wanted.append(replace(entry, value=value))
    return wanted, faults


async def _unknown(
    session: AsyncSession, business_id: str, entries: Sequence[Entry], faults: Faults
) -> Faults:
    """Contacts and runs that this business does not have."""
    misread = {place for place, _, _ in faults}
    ids = [e.value for n, e in enumerate(entries) if e.kind == "contact" and n not in misread]
    unknown = set(await contacts.unknown_of(session, business_id, ids)) if ids else set()
    run_ids = list({entry.run_id for entry in entries if entry.run_id is not None})
    known = await store.known_runs(session, business_id, run_ids) if run_ids else set()
    more: Faults = []
    for place, entry in enumerate(entries):
        if entry.kind == "contact" and entry.value in unknown:
            more.append((place, "value", "there is no such contact"))
        if entry.run_id is not None and entry.run_id not in known:
            more.append((place, "run_id", "there is no such run"))
    return more


async def lift(
    database: Database, caller: Caller, suppression_id: str, *, correlation_id: str
) -> bool:
    """Lift one; False where nothing is in force under this id."""
    async with transaction(database) as session:
        await store.lock(session, caller.business_id)
        lifted = await store.lift(session, caller.business_id, suppression_id, by=caller.key_id)
        if lifted is None:
            return False
        event = ContactUnsuppressed(**_said(lifted))
        fact = Fact(event, caller.business_id, correlation_id, sequence=lifted.version)
        await outbox.add(session, fact)
    return True


def _suppressed(one: Suppression, business_id: str, correlation_id: str) -> Fact:
    event = ContactSuppressed(
        **_said(one), source=one.source, reason=one.reason, evidence=one.evidence
    )
    return Fact(event, business_id, correlation_id, sequence=one.version)


def _said(one: Suppression) -> dict[str, Any]:
    return {
        "suppression_id": one.id,
        "kind": one.kind,
        "value": one.value,
        "run_id": one.run_id,
        "channel": one.channel,
        "version": one.version,
    }


async def get(database: Database, business_id: str, suppression_id: str) -> Suppression | None:
    """One suppression, also if it was lifted."""
    async with transaction(database) as session:
        return await store.get(session, business_id, suppression_id)


async def page(
    database: Database,
    caller: Caller,
    *,
    kind: SuppressionKind | None,
    value: str | None,
    before: str,
    limit: int,
) -> list[Suppression]:
    """What is in force, newest first; with a kind, a value may be written as for suppressing it."""
    if kind is not None and value is not None:
        read = read_value(kind, value, caller.country)
        if isinstance(read, Misread):
            raise errors.invalid("query/value", read.detail)
        value = read
    async with transaction(database) as session:
        return await store.page(
            session, caller.business_id, kind=kind, value=value, before=before, limit=limit
        )
