"""A file of contacts, taken whole or refused whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import errors
from trunkline_api.domain.candidates import Candidate, Reject, Selection, select
from trunkline_api.domain.texts import Unreadable, check_quotes, decode, read_table
from trunkline_api.store import contacts
from trunkline_api.store import imports as store
from trunkline_api.store.imports import Import, NewImport
from trunkline_common.db import Database, transaction
from trunkline_common.ids import IMPORT, new_id

BATCH: Final = 5_000  # contacts in one statement


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it came."""

    data: bytes
    filename: str | None
    encoding: str | None
    home_country: str
    most_rows: int


@dataclass(frozen=True, slots=True)
class Read:
    """A file as it was understood."""

    encoding: str
    delimiter: str
    selection: Selection


async def take(
    database: Database, business_id: str, source: Source, *, correlation_id: str
) -> Import:
    """Import a file in one transaction: all of its good rows, or nothing."""
    try:
        # Judging 1,000 numbers takes a tenth of a second: in a thread, so that others are answered.
        read = await asyncio.to_thread(_understand, source)
    except Unreadable as error:
        raise errors.unreadable(error.slug, error.detail) from error
    import_id = new_id(IMPORT)
    async with transaction(database) as session:
        imported = await _add_contacts(session, business_id, import_id, read.selection.candidates)
        new = _described(import_id, business_id, source, read, imported, correlation_id)
        return await store.add(session, new, read.selection.rejects)


def _understand(source: Source) -> Read:
    text = decode(source.data, source.encoding)
    table = read_table(text.content, most_rows=source.most_rows)
    check_quotes(text.content, table.delimiter)
    return Read(text.encoding, table.delimiter, select(table, source.home_country))


def _in_batches(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    for start in range(0, len(candidates), BATCH):
        yield candidates[start : start + BATCH]


async def _add_contacts(
    session: AsyncSession, business_id: str, import_id: str, candidates: Sequence[Candidate]
) -> int:
    """Add who is new, and put everybody on the import's list; how many were new."""
    imported = 0
    for position, batch in enumerate(_in_batches(candidates)):
        ids = await contacts.add_missing(session, business_id, batch)
        imported += len(ids)
        known = [one.address for one in batch if one.address not in ids]
        if known:
            ids |= await contacts.ids_of(session, business_id, known)
        # Who was there and is not any more was deleted since: the import came first.
        members = [ids[one.address] for one in batch if one.address in ids]
        await contacts.add_members(
            session, business_id, import_id, members, first_position=position * BATCH
        )
    return imported


def _described(
    import_id: str,
    business_id: str,
    source: Source,
    read: Read,
    imported: int,
    correlation_id: str,
) -> NewImport:
    selection = read.selection
    reasons = selection.reasons()
    repeated = reasons.get("duplicate_in_file", 0)
    return NewImport(
        id=import_id,
        business_id=business_id,
        filename=source.filename,
        encoding=read.encoding,
        delimiter=read.delimiter,
        columns=selection.columns,
        rows=selection.rows,
        imported=imported,
        duplicates_in_file=repeated,
        duplicates_existing=len(selection.candidates) - imported,
        rejected=len(selection.rejects) - repeated,
        reasons=reasons,
        correlation_id=correlation_id,
    )


async def get(database: Database, business_id: str, import_id: str) -> Import | None:
    """One import."""
    async with transaction(database) as session:
        return await store.get(session, business_id, import_id)


async def rejects(
    database: Database, business_id: str, import_id: str, *, after: int, limit: int
) -> list[Reject] | None:
    """The rows that were left out; None where the business has no such import."""
    async with transaction(database) as session:
        if await store.get(session, business_id, import_id) is None:
            return None
        return await store.rejects(session, business_id, import_id, after=after, limit=limit)
