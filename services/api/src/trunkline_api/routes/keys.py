"""/v1/keys."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from trunkline_api import errors, keys
from trunkline_api.domain.scopes import Scope
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Asked,
    Cursor,
    Limit,
    Page,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import KeysWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.values import Moment
from trunkline_api.store.businesses import Key, NewKey

router = APIRouter(prefix="/keys", tags=["keys"], route_class=PublicRoute)


class KeyAsked(Asked):
    """A key to make. It can do no more than the key that makes it."""

    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(min_length=1, max_length=50)
    expires_at: Moment | None = None


class KeyTold(Told):
    """A key as it is known afterwards: by its prefix."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class KeyMade(KeyTold):
    """A new key."""

    key: str = Field(description="the whole key; shown this once")

    @classmethod
    def of(cls, kept: Key, whole: str) -> KeyMade:
        """What was kept, with the key itself."""
        return cls(**KeyTold.model_validate(kept).model_dump(), key=whole)


@router.post("", status_code=201)
async def create_key(asked: KeyAsked, caller: KeysWriter, parts: ServiceParts) -> KeyMade:
    """Make a key."""
    for scope in asked.scopes:
        if scope not in caller.scopes:
            raise errors.missing_scope(scope)
    new = NewKey(asked.name, list(dict.fromkeys(asked.scopes)), asked.expires_at)
    kept, whole = await keys.create(parts.database, caller.business_id, new)
    return KeyMade.of(kept, whole)


@router.get("")
async def list_keys(
    caller: KeysWriter, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[KeyTold]:
    """Keys that are not revoked, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await keys.page(parts.database, caller.business_id, before=before, limit=limit + 1)
    return page_of(rows, limit, KeyTold.model_validate, lambda row: row.id)


@router.delete("/{key_id}", status_code=204)
async def revoke_key(key_id: str, caller: KeysWriter, parts: ServiceParts) -> None:
    """Revoke a key; it is useless at once."""
    if not await keys.revoke(parts.database, caller.business_id, key_id):
        raise errors.not_found("key")
