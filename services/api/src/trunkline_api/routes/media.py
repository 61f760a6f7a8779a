"""/v1/media: audio files that calls play; /media: where the provider fetches them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from trunkline_api import errors, media
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Cursor,
    Limit,
    Page,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.bodies import read_body
from trunkline_api.routes.callers import RunsReader, RunsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute, TextRoute
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/media", tags=["media"], route_class=PublicRoute)
files = APIRouter(prefix="/media", include_in_schema=False, route_class=TextRoute)

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"audio/mpeg": _BINARY, "audio/wav": _BINARY},
    }
}


class MediaTold(Told):
    """An audio file that `play` steps name by its id."""

    id: str
    name: str
    content_type: str = Field(description="audio/mpeg or audio/wav, by the file's own bytes")
    size: int = Field(description="bytes")
    sha256: str
    uploaded_by: str = Field(description="the key that uploaded it")
    created_at: datetime


@router.post("", status_code=201, openapi_extra=_BODY)
async def upload_media(
    request: Request,
    caller: RunsWriter,
    parts: ServiceParts,
    name: Annotated[str, Query(min_length=1, max_length=200)] = "audio",
) -> MediaTold:
    """Upload an MP3 or WAV file of at most 4 MiB, as the body itself."""
    data = await read_body(request)
    kept = await media.upload(
        parts.database, caller, data, name=name, correlation_id=correlation_id()
    )
    return MediaTold.model_validate(kept)


@router.get("")
async def list_media(
    caller: RunsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[MediaTold]:
    """Files, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await media.page(parts.database, caller.business_id, before=before, limit=limit + 1)
    return page_of(rows, limit, MediaTold.model_validate, lambda row: row.id)


@router.get("/{media_id}")
async def get_media(media_id: str, caller: RunsReader, parts: ServiceParts) -> MediaTold:
    """One file."""
    kept = await media.get(parts.database, caller.business_id, media_id)
    if kept is None:
        raise errors.not_found("file")
    return MediaTold.model_validate(kept)


@files.get("/{business_id}/{media_id}/{expires}/{token}")
async def fetch_media(
    business_id: str, media_id: str, expires: str, token: str, parts: ServiceParts
) -> Response:
    """What a call plays, for whoever has the address: the provider, as long as it holds."""
    now = int(datetime.now(UTC).timestamp())
    place = (business_id, media_id, expires)
    found = await media.fetched(parts.database, parts.callback_secret, place, token, now=now)
    if found is None:
        raise errors.not_found("file")
    return Response(
        found.content,
        media_type=found.content_type,
        headers={
            "ETag": f'"{found.sha256}"',
            "Cache-Control": f"private, max-age={int(expires) - now}",
            "X-Content-Type-Options": "nosniff",
        },
    )
