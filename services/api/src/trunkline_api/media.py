"""Files that calls play: uploaded by a business, fetched at an address that ends."""

from __future__ import annotations

import hashlib

from trunkline_api import errors
from trunkline_api.domain.media import audio_type
from trunkline_api.keys import Caller
from trunkline_api.store import media as store
from trunkline_api.store.media import Audible, Media, NewMedia
from trunkline_common.callbacks import callback_token, verify
from trunkline_common.db import Database, transaction
from trunkline_common.ids import MEDIA, new_id


async def upload(
    database: Database, caller: Caller, data: bytes, *, name: str, correlation_id: str
) -> Media:
    """Keep an audio file, which is small; anything else is refused whatever it calls itself."""
    kind = audio_type(data)
    if kind is None:
        raise errors.unreadable("media-not-audio", "neither an MP3 nor a WAV file")
    new = NewMedia(
        id=new_id(MEDIA),
        business_id=caller.business_id,
        name=name,
        content_type=kind,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content=data,
        uploaded_by=caller.key_id,
        correlation_id=correlation_id,
    )
    async with transaction(database) as session:
        return await store.add(session, new)


async def get(database: Database, business_id: str, media_id: str) -> Media | None:
    """One file."""
    async with transaction(database) as session:
        return await store.get(session, business_id, media_id)


async def page(database: Database, business_id: str, *, before: str, limit: int) -> list[Media]:
    """Files, newest first."""
    async with transaction(database) as session:
        return await store.page(session, business_id, before=before, limit=limit)


def address(public_url: str, secret: str, business_id: str, media_id: str, *, expires: int) -> str:
    """Where a provider fetches a file until then: nobody can make another such address."""
    token = callback_token(secret, "media", business_id, media_id, str(expires))
    return f"{public_url}/media/{business_id}/{media_id}/{expires}/{token}"


async def fetched(
    database: Database, secret: str, place: tuple[str, str, str], token: str, *, now: int
) -> Audible | None:
    """The file at (business, id, expires), if we made this address and it has not ended."""
    business_id, media_id, expires = place
    if not verify(secret, token, "media", business_id, media_id, expires) or int(expires) <= now:
        return None
    async with transaction(database) as session:
        return await store.audible(session, business_id, media_id)
