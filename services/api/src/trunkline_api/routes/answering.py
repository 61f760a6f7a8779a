"""/v1/channels/{channel_id}/inbound: what callers hear, and the address for the provider."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from pydantic import Field

from trunkline_api import caller_responses, channels, errors, inbound
from trunkline_api.domain.steps import Dialogue
from trunkline_api.parts import Parts
from trunkline_api.routes.answers import Cursor, Limit, Page, Told, number_in, page_of
from trunkline_api.routes.callers import AnyKey, CallsReader, ChannelsWriter, ServiceParts
from trunkline_api.routes.calls import ResponseTold
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.store.channels import Channel

router = APIRouter(
    prefix="/channels/{channel_id}/inbound", tags=["channels"], route_class=PublicRoute
)

_BEFORE_ALL: Final = 2**62


class AnsweringTold(Told):
    """How calls to the channel's numbers are answered."""

    voice_url: str = Field(description="the number's voice webhook at the provider: POST")
    status_url: str = Field(description="its status callback: POST")
    content: dict[str, Any] | None = Field(description="null: a polite word, and the call ends")


def _told(parts: Parts, channel: Channel) -> AnsweringTold:
    url = inbound.inbound_url(parts.public_url, parts.callback_secret, channel.id)
    return AnsweringTold(voice_url=url, status_url=f"{url}/status", content=channel.inbound)


async def _channel(parts: Parts, business_id: str, channel_id: str) -> Channel:
    channel = await channels.get(parts.database, business_id, channel_id)
    if channel is None or channel.kind != "voice":
        raise errors.not_found("voice channel")
    return channel


@router.get("")
async def get_answering(channel_id: str, caller: AnyKey, parts: ServiceParts) -> AnsweringTold:
    """What callers hear."""
    return _told(parts, await _channel(parts, caller.business_id, channel_id))


@router.put("")
async def put_answering(
    channel_id: str, asked: Dialogue, caller: ChannelsWriter, parts: ServiceParts
) -> AnsweringTold:
    """Say this to callers from now on: steps as in a run's content, without voicemail."""
    await inbound.speak(parts.database, caller.business_id, channel_id, asked)
    parts.siblings.channel_changed(channel_id)
    return _told(parts, await _channel(parts, caller.business_id, channel_id))


class CallerResponseTold(ResponseTold):
    """What a caller pressed, or that they pressed nothing."""

    provider_call_id: str


@router.get("/responses")
async def list_caller_responses(
    channel_id: str,
    caller: CallsReader,
    parts: ServiceParts,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CallerResponseTold]:
    """What callers pressed, newest first."""
    await _channel(parts, caller.business_id, channel_id)
    rows = await caller_responses.of_channel(
        parts.database,
        caller.business_id,
        channel_id,
        before=number_in(cursor) or _BEFORE_ALL,
        limit=limit + 1,
    )
    return page_of(rows, limit, CallerResponseTold.model_validate, lambda row: row.position)


@router.delete("", status_code=204)
async def delete_answering(channel_id: str, caller: ChannelsWriter, parts: ServiceParts) -> None:
    """Go back to the polite word."""
    await inbound.speak(parts.database, caller.business_id, channel_id, None)
    parts.siblings.channel_changed(channel_id)
