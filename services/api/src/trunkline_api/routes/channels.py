"""/v1/channels: what is told of a channel never holds its credentials."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field, SecretStr, StringConstraints, model_validator

from trunkline_api import channels, errors
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
from trunkline_api.routes.callers import AnyKey, ChannelsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/channels", tags=["channels"], route_class=PublicRoute)

_ACCOUNT = {"voice": re.compile(r"^AC[0-9a-fA-F]{32}$"), "whatsapp": re.compile(r"^\d{5,20}$")}
Sender = Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{6,14}$")]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=1000)]


class VoiceCredentials(Asked):
    """Of a Twilio account."""

    auth_token: Secret

    def opened(self) -> dict[str, str]:
        return {"auth_token": self.auth_token.get_secret_value()}


class WhatsAppCredentials(Asked):
    """Of a Meta app and phone number; the verify token is your own choice."""

    access_token: Secret
    app_secret: Secret
    verify_token: Secret

    def opened(self) -> dict[str, str]:
        return {
            "access_token": self.access_token.get_secret_value(),
            "app_secret": self.app_secret.get_secret_value(),
            "verify_token": self.verify_token.get_secret_value(),
        }


Credentials = VoiceCredentials | WhatsAppCredentials
_CREDENTIALS: dict[str, type[Asked]] = {"voice": VoiceCredentials, "whatsapp": WhatsAppCredentials}


class NumberCapsAsked(Asked):
    """What each of the channel's numbers may do at most. Over a cap is later, never failed."""

    per_second: float | None = Field(default=None, ge=0.001, le=1000, allow_inf_nan=False)
    per_day: int | None = Field(
        default=None, ge=1, le=1_000_000, description="requests admitted, on a day of the business"
    )
    concurrent: int | None = Field(default=None, ge=1, le=100_000, description="calls in the air")


class ChannelAsked(Asked):
    """A provider account to add."""

    kind: ChannelKind
    account: str = Field(description="Twilio account SID, or Meta phone number id")
    senders: list[Sender] = Field(min_length=1, max_length=100)
    credentials: Credentials
    per_second: float = Field(default=1.0, ge=0.001, le=1000, allow_inf_nan=False)
    concurrent: int = Field(default=1000, ge=1, le=100_000)
    per_number: NumberCapsAsked | None = Field(default=None, description="of a voice channel")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ChannelAsked:
        if not _ACCOUNT[self.kind].match(self.account):
            message = f"account has not the form of a {self.kind} account"
            raise ValueError(message)
        if not isinstance(self.credentials, _CREDENTIALS[self.kind]):
            message = f"credentials are not those of a {self.kind} account"
            raise ValueError(message)  # noqa: TRY004  # pydantic reads only this one
        return self


class ChannelChangeAsked(Asked):
    """What to change; what is left out stays."""

    senders: list[Sender] | None = Field(default=None, min_length=1, max_length=100)
    credentials: Credentials | None = None
    per_second: float | None = Field(default=None, ge=0.001, le=1000, allow_inf_nan=False)
    concurrent: int | None = Field(default=None, ge=1, le=100_000)
    enabled: bool | None = None
    per_number: NumberCapsAsked | None = Field(default=None, description="null lifts all of them")

    def changes(self) -> dict[str, Any]:
        changes = self.model_dump(exclude_none=True, exclude={"credentials", "per_number"})
        if "per_number" in self.model_fields_set:
            changes["per_number"] = self.per_number.model_dump() if self.per_number else None
        return changes


class ChannelTold(Told):
    """A channel without its credentials."""

    id: str
    kind: Literal["voice", "whatsapp"]
    account: str
    senders: list[str]
    per_second: float
    concurrent: int
    enabled: bool
    per_number: dict[str, Any] | None
    version: int
    created_at: datetime
    updated_at: datetime


@router.post("", status_code=201)
async def create_channel(
    asked: ChannelAsked, caller: ChannelsWriter, parts: ServiceParts
) -> ChannelTold:
    """Add a provider account. Its credentials are sealed at once and never told again."""
    wanted = channels.NewChannel(
        kind=asked.kind,
        account=asked.account,
        senders=asked.senders,
        credentials=asked.credentials.opened(),
        per_second=asked.per_second,
        concurrent=asked.concurrent,
        per_number=asked.per_number.model_dump() if asked.per_number else None,
    )
    made = await channels.create(
        parts.database, parts.sealer, caller.business_id, wanted, correlation_id=correlation_id()
    )
    return ChannelTold.model_validate(made)


@router.get("")
async def list_channels(
    caller: AnyKey, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[ChannelTold]:
    """Channels, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await channels.page(parts.database, caller.business_id, before=before, limit=limit + 1)
    return page_of(rows, limit, ChannelTold.model_validate, lambda row: row.id)


@router.patch("/{channel_id}")
async def change_channel(
    channel_id: str, asked: ChannelChangeAsked, caller: ChannelsWriter, parts: ServiceParts
) -> ChannelTold:
    """Change a channel: its next version, told to every service that uses it."""
    held = await channels.get(parts.database, caller.business_id, channel_id)
    if held is None:
        raise errors.not_found("channel")
    if asked.credentials and not isinstance(asked.credentials, _CREDENTIALS[held.kind]):
        raise errors.invalid("#/credentials", f"not those of a {held.kind} account")
    changed = await channels.change(
        parts.database,
        parts.sealer,
        held,
        changes=asked.changes(),
        credentials=asked.credentials.opened() if asked.credentials else None,
        correlation_id=correlation_id(),
    )
    parts.siblings.channel_changed(changed.id)
    return ChannelTold.model_validate(changed)
