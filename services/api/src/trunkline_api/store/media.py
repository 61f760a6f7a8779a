"""Files of businesses that their calls play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every, first, only


@dataclass(frozen=True, slots=True)
class Media:
    """A file, without what is in it."""

    id: str
    name: str
    content_type: str
    size: int
    sha256: str
    uploaded_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMedia:
    """A file as it was uploaded."""

    id: str
    business_id: str
    name: str
    content_type: str
    size: int
    sha256: str
    content: bytes
    uploaded_by: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Audible:
    """What a provider plays."""

    content_type: str
    sha256: str
    content: bytes


_COLUMNS: Final = "id, name, content_type, size, sha256, uploaded_by, created_at"
_ADD: Final = text(
    f"""
INSERT INTO media (id, business_id, name, content_type, size, sha256, content, uploaded_by,
                   correlation_id)
VALUES (:id, :business_id, :name, :content_type, :size, :sha256, :content, :uploaded_by,
        :correlation_id)
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_GET: Final = text(
    f"SELECT {_COLUMNS} FROM media WHERE business_id = :business_id AND id = :media_id"  # noqa: S608
)
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS} FROM media WHERE business_id = :business_id AND id < :before
 ORDER BY id DESC LIMIT :limit
"""  # noqa: S608
)
_KNOWN: Final = text(
    "SELECT id FROM media WHERE business_id = :business_id AND id = ANY (CAST(:ids AS text[]))"
)
_AUDIBLE: Final = text(
    """
SELECT content_type, sha256, content FROM media
 WHERE business_id = :business_id AND id = :media_id
"""
)


async def add(session: AsyncSession, new: NewMedia) -> Media:
    """Keep a file."""
    values = {name: getattr(new, name) for name in NewMedia.__slots__}
    return only(await session.execute(_ADD, values), Media)


async def get(session: AsyncSession, business_id: str, media_id: str) -> Media | None:
    """One file of a business."""
    values = {"business_id": business_id, "media_id": media_id}
    return first(await session.execute(_GET, values), Media)


async def page(session: AsyncSession, business_id: str, *, before: str, limit: int) -> list[Media]:
    """Files, newest first."""
    values = {"business_id": business_id, "before": before, "limit": limit}
    return every(await session.execute(_PAGE, values), Media)


async def known_of(session: AsyncSession, business_id: str, ids: Sequence[str]) -> set[str]:
    """Those of the ids that are files of this business."""
    values = {"business_id": business_id, "ids": list(ids)}
    return set((await session.execute(_KNOWN, values)).scalars())


async def audible(session: AsyncSession, business_id: str, media_id: str) -> Audible | None:
    """What is in a file of a business."""
    values = {"business_id": business_id, "media_id": media_id}
    return first(await session.execute(_AUDIBLE, values), Audible)
