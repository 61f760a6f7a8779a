"""Imports and the rows that they left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.candidates import Reject
from trunkline_api.store.rows import every, first, only


@dataclass(frozen=True, slots=True)
class Import:
    """One file that became contacts, and what became of its rows."""

    id: str
    filename: str | None
    encoding: str
    delimiter: str
    columns: dict[str, str]
    rows: int
    imported: int
    duplicates_in_file: int
    duplicates_existing: int
    rejected: int
    reasons: dict[str, int]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewImport:
    """What is known of an import when its rows have been judged and its contacts added."""

    id: str
    business_id: str
    filename: str | None
    encoding: str
    delimiter: str
    columns: dict[str, str]
    rows: int
    imported: int
    duplicates_in_file: int
    duplicates_existing: int
    rejected: int
    reasons: dict[str, int]
    correlation_id: str


_COLUMNS: Final = (
    "id, filename, encoding, delimiter, columns, rows, imported, duplicates_in_file,"
    " duplicates_existing, rejected, reasons, created_at"
)
_ADD: Final = text(
    f"""
INSERT INTO imports (id, business_id, filename, encoding, delimiter, columns, rows, imported,
                     duplicates_in_file, duplicates_existing, rejected, reasons, correlation_id)
VALUES (:id, :business_id, :filename, :encoding, :delimiter, CAST(:columns AS jsonb), :rows,
        :imported, :duplicates_in_file, :duplicates_existing, :rejected, CAST(:reasons AS jsonb),
        :correlation_id)
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_ADD_REJECTS: Final = text(
    """
INSERT INTO import_rejects (import_id, business_id, row_number, reason, value)
SELECT :import_id, :business_id, row_number, reason, value
  FROM unnest(CAST(:numbers AS integer[]), CAST(:reasons AS text[]), CAST(:shown AS text[]))
       AS reject (row_number, reason, value)
"""
)
_GET: Final = text(
    f"SELECT {_COLUMNS} FROM imports WHERE business_id = :business_id AND id = :import_id"  # noqa: S608
)
_REJECTS: Final = text(
    """
SELECT row_number, reason, value FROM import_rejects
 WHERE business_id = :business_id AND import_id = :import_id AND row_number > :after
 ORDER BY row_number LIMIT :limit
"""
)


async def add(session: AsyncSession, new: NewImport, rejects: Sequence[Reject]) -> Import:
    """Keep what became of a file, row by row where a row was left out."""
    values = {name: getattr(new, name) for name in NewImport.__slots__}
    values["columns"] = json.dumps(new.columns)
    values["reasons"] = json.dumps(new.reasons)
    kept = only(await session.execute(_ADD, values), Import)
    if rejects:
        listed = {
            "import_id": new.id,
            "business_id": new.business_id,
            "numbers": [reject.row_number for reject in rejects],
            "reasons": [reject.reason for reject in rejects],
            "shown": [reject.value for reject in rejects],
        }
        await session.execute(_ADD_REJECTS, listed)
    return kept


async def get(session: AsyncSession, business_id: str, import_id: str) -> Import | None:
    """One import of a business."""
    values = {"business_id": business_id, "import_id": import_id}
    return first(await session.execute(_GET, values), Import)


async def rejects(
    session: AsyncSession, business_id: str, import_id: str, *, after: int, limit: int
) -> list[Reject]:
    """Rows that were left out, in the file's order."""
    values = {
        "business_id": business_id,
        "import_id": import_id,
        "after": after,
        "limit": limit,
    }
    return every(await session.execute(_REJECTS, values), Reject)
