"""What messaging needs from its environment. Read only by `__main__` and `app`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from trunkline_common.sealing import parse_keys
from trunkline_common.settings import ServiceSettings

Seconds = Annotated[float, Field(gt=0)]


class MessagingSettings(ServiceSettings):
    """Times in seconds; the defaults are the protocol's constants."""

    model_config = SettingsConfigDict(env_prefix="MESSAGING_", frozen=True, extra="ignore")

    meta_base_url: str = Field(
        default="https://graph.facebook.com/v23.0", pattern=r"^https?://[^/\s]+(/[^\s]*)?$"
    )
    sealing_keys: str = Field(repr=False, description="name:base64 of 32 bytes, several by comma")
    send_concurrency: int = Field(default=100, ge=1, le=1000)
    micro_batch: int = Field(default=50, ge=1, le=500)
    lease: Seconds = 30.0
    send_deadline: Seconds = 10.0
    answer_timeout: Seconds = 10.0
    sweep_every: Seconds = 5.0
    in_doubt_horizon: Seconds = 86_400.0
    channel_patience: Seconds = 600.0

    @field_validator("sealing_keys")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_keys(text)
        return text

    @model_validator(mode="after")
    def _lease_outlives_a_request(self) -> Self:
        if self.lease <= self.send_deadline + self.answer_timeout:
            raise ValueError("LEASE must be longer than SEND_DEADLINE and ANSWER_TIMEOUT together")
        return self
