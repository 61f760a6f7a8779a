"""Businesses and their API keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.store.rows import every, first, only


@dataclass(frozen=True, slots=True)
class Business:
    """A tenant."""

    id: str
    name: str
    country: str
    time_zone: str
    created_at: datetime
    holidays: Sequence[date]
    version: int
    contact_budget: dict[str, int] | None
    weight: float
    concurrent: int | None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a business may change of itself; what is None stays.

    `lifts_budget`: without a `contact_budget`, there is none any more.
    """

    name: str | None = None
    time_zone: str | None = None
    holidays: Sequence[date] | None = None
    contact_budget: dict[str, int] | None = None
    lifts_budget: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the operator grants a business; what is None stays. `lifts_cap`: it has none then."""

    weight: float | None = None
    concurrent: int | None = None
    lifts_cap: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is kept: without its secret."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is asked for."""

    name: str
    scopes: Sequence[str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """What is needed to judge a presented key."""

    id: str
    business_id: str
    country: str
    secret_sha256: str
    scopes: list[str]
    usable: bool
    stale: bool


_COLUMNS: Final = (
    "id, name, country, time_zone, created_at, holidays, version, contact_budget, weight,"
    " concurrent"
)
_ADD: Final = text(
    f"""
INSERT INTO businesses (id, name, country, time_zone, concurrent)
VALUES (:id, :name, :country, :time_zone, :concurrent)
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_GET: Final = text(f"SELECT {_COLUMNS} FROM businesses WHERE id = :business_id")  # noqa: S608
_CHANGE: Final = text(
    f"""
UPDATE businesses
   SET name = coalesce(:name, name), time_zone = coalesce(:time_zone, time_zone),
       holidays = coalesce(CAST(:holidays AS date[]), holidays),
       contact_budget = CASE WHEN :lifts_budget THEN NULL
                             ELSE coalesce(CAST(:contact_budget AS jsonb), contact_budget) END,
       version = version + 1
 WHERE id = :business_id
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_GRANT: Final = text(
    f"""
UPDATE businesses
   SET weight = coalesce(CAST(:weight AS double precision), weight),
       concurrent = CASE WHEN :lifts_cap THEN NULL
                         ELSE coalesce(CAST(:concurrent AS integer), concurrent) END,
       version = version + 1
 WHERE id = :business_id
RETURNING {_COLUMNS}
"""  # noqa: S608
)
_ADD_KEY: Final = text(
    """
INSERT INTO api_keys (id, business_id, name, prefix, secret_sha256, scopes, expires_at)
VALUES (:id, :business_id, :name, :prefix, :digest, CAST(:scopes AS text[]),
        CAST(:expires_at AS timestamptz))
RETURNING id, name, prefix, scopes, expires_at, last_used_at, created_at
"""
)
_KEYS: Final = text(
    """
SELECT id, name, prefix, scopes, expires_at, last_used_at, created_at FROM api_keys
 WHERE business_id = :business_id AND revoked_at IS NULL AND id < :before
 ORDER BY id DESC LIMIT :limit
"""
)
_REVOKE: Final = text(
    """
UPDATE api_keys SET revoked_at = clock_timestamp()
 WHERE business_id = :business_id AND id = :key_id AND revoked_at IS NULL
RETURNING id
"""
)
# The one query that asks for a key without its business: the key is what names the business.
_USE: Final = text(
    """
SELECT api_keys.id, business_id, country, secret_sha256, scopes,
       revoked_at IS NULL AND coalesce(expires_at > clock_timestamp(), true) AS usable,
       coalesce(last_used_at < clock_timestamp() - interval '1 minute', true) AS stale
  FROM api_keys JOIN businesses ON businesses.id = api_keys.business_id
 WHERE api_keys.id = :key_id
"""
)
_TOUCH: Final = text(
    """
UPDATE api_keys SET last_used_at = clock_timestamp()
 WHERE business_id = :business_id AND id = :key_id
   AND coalesce(last_used_at < clock_timestamp() - interval '1 minute', true)
"""
)


async def add(
    session: AsyncSession,
    business_id: str,
    *,
    name: str,
    country: str,
    zone: str,
    concurrent: int | None,
) -> Business:
    """Add a tenant."""
    values = {
        "id": business_id,
        "name": name,
        "country": country,
        "time_zone": zone,
        "concurrent": concurrent,
    }
    return only(await session.execute(_ADD, values), Business)


async def get(session: AsyncSession, business_id: str) -> Business | None:
    """One tenant."""
    return first(await session.execute(_GET, {"business_id": business_id}), Business)


async def change(session: AsyncSession, business_id: str, settings: Settings) -> Business | None:
    """Change a tenant's settings; its version grows."""
    budget = settings.contact_budget
    values: dict[str, Any] = {
        "business_id": business_id,
        "name": settings.name,
        "time_zone": settings.time_zone,
        "holidays": None if settings.holidays is None else sorted(set(settings.holidays)),
        "contact_budget": None if budget is None else json.dumps(budget),
        "lifts_budget": settings.lifts_budget,
    }
    return first(await session.execute(_CHANGE, values), Business)


async def grant(session: AsyncSession, business_id: str, allowance: Allowance) -> Business | None:
    """Change what a tenant is granted; its version grows."""
    values = {
        "business_id": business_id,
        "weight": allowance.weight,
        "concurrent": allowance.concurrent,
        "lifts_cap": allowance.lifts_cap,
    }
    return first(await session.execute(_GRANT, values), Business)


async def add_key(
    session: AsyncSession, business_id: str, key_id: str, *, prefix: str, digest: str, new: NewKey
) -> Key:
    """Keep a new key's digest."""
    values = {
        "id": key_id,
        "business_id": business_id,
        "name": new.name,
        "prefix": prefix,
        "digest": digest,
        "scopes": list(new.scopes),
        "expires_at": new.expires_at,
    }
    return only(await session.execute(_ADD_KEY, values), Key)


async def keys(session: AsyncSession, business_id: str, *, before: str, limit: int) -> list[Key]:
    """Keys that are not revoked, newest first."""
    values = {"business_id": business_id, "before": before, "limit": limit}
    return every(await session.execute(_KEYS, values), Key)


async def revoke_key(session: AsyncSession, business_id: str, key_id: str) -> bool:
    """Make a key useless; whether there was one."""
    values = {"business_id": business_id, "key_id": key_id}
    return (await session.execute(_REVOKE, values)).first() is not None


async def key_in_use(session: AsyncSession, key_id: str) -> KeyInUse | None:
    """The key that a caller presents."""
    return first(await session.execute(_USE, {"key_id": key_id}), KeyInUse)


async def touch_key(session: AsyncSession, business_id: str, key_id: str) -> None:
    """Note that a key was used, at most once a minute."""
    await session.execute(_TOUCH, {"business_id": business_id, "key_id": key_id})
