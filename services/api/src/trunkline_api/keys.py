"""API keys: made, listed, revoked, and recognised when somebody presents one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api.domain.scopes import (
    ALPHABET,
    SECRET_LENGTH,
    digest_of,
    read_key,
    same,
    shown_prefix,
    whole_key,
)
from trunkline_api.store import businesses as store
from trunkline_api.store.businesses import NewKey
from trunkline_common.db import Database, transaction
from trunkline_common.ids import KEY, new_id


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: a business, by one of its keys."""

    business_id: str
    country: str
    key_id: str
    scopes: frozenset[str]


async def add(session: AsyncSession, business_id: str, new: NewKey) -> tuple[store.Key, str]:
    """Make a key in the caller's transaction: what is kept, and the whole key to show once."""
    key_id = new_id(KEY)
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    key = await store.add_key(
        session,
        business_id,
        key_id,
        prefix=shown_prefix(key_id),
        digest=digest_of(secret),
        new=new,
    )
    return key, whole_key(key_id, secret)


async def create(database: Database, business_id: str, new: NewKey) -> tuple[store.Key, str]:
    """Make a further key."""
    async with transaction(database) as session:
        return await add(session, business_id, new)


async def page(database: Database, business_id: str, *, before: str, limit: int) -> list[store.Key]:
    """Keys that are not revoked, newest first."""
    async with transaction(database) as session:
        return await store.keys(session, business_id, before=before, limit=limit)


async def revoke(database: Database, business_id: str, key_id: str) -> bool:
    """Make a key useless at once; whether there was one."""
    async with transaction(database) as session:
        return await store.revoke_key(session, business_id, key_id)


async def identify(database: Database, presented: str) -> Caller | None:
    """Whose key this is, or None where it is nobody's, revoked or over."""
    claim = read_key(presented)
    if claim is None:
        return None
    async with transaction(database) as session:
        key = await store.key_in_use(session, claim.key_id)
        # An unknown id is compared too, so that it takes as long as a wrong secret.
        genuine = same(claim.digest, key.secret_sha256 if key else digest_of("nobody"))
        if key is None or not genuine or not key.usable:
            return None
        if key.stale:
            await store.touch_key(session, key.business_id, key.id)
    return Caller(key.business_id, key.country, key.id, frozenset(key.scopes))
