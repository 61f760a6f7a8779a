"""/v1/channels/{channel_id}/inbound: what callers hear, and the address for the provider."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from trunkline_api import channels, errors, inbound
from trunkline_api.domain.steps import Dialogue
from trunkline_api.parts import Parts
from trunkline_api.routes.answers import Told
from trunkline_api.routes.callers import AnyKey, ChannelsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.store.channels import Channel

router = APIRouter(
    prefix="/channels/{channel_id}/inbound", tags=["channels"], route_class=PublicRoute
)


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


@router.delete("", status_code=204)
async def delete_answering(channel_id: str, caller: ChannelsWriter, parts: ServiceParts) -> None:
    """Go back to the polite word."""
    await inbound.speak(parts.database, caller.business_id, channel_id, None)
    parts.siblings.channel_changed(channel_id)
