"""What recordings needs from its environment. Read only by `__main__` and `app`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from trunkline_common.sealing import parse_keys
from trunkline_common.settings import ServiceSettings

Seconds = Annotated[float, Field(gt=0)]


class RecordingsSettings(ServiceSettings):
    """Times in seconds. `storage_url` is `file:///folder` or `s3://bucket/prefix`."""

    model_config = SettingsConfigDict(env_prefix="RECORDINGS_", frozen=True, extra="ignore")

    twilio_base_url: str = Field(
        default="https://api.twilio.com", pattern=r"^https?://[^/\s]+(/[^\s]*)?$"
    )
    media_hosts: str = Field(
        default="media.twiliocdn.com",
        description="hosts that the provider may redirect to, by comma",
    )
    sealing_keys: str = Field(repr=False, description="name:base64 of 32 bytes, several by comma")
    storage_url: str = Field(pattern=r"^(file:///|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/|$))")
    storage_endpoint: str | None = Field(default=None, description="of an S3 that is not Amazon's")
    storage_region: str = "us-east-1"
    storage_access_key: str | None = Field(default=None, repr=False)
    storage_secret_key: str | None = Field(default=None, repr=False)
    spool_dir: Path | None = Field(default=None, description="what is on its way to S3")
    fetch_concurrency: int = Field(default=8, ge=1, le=200)
    fetch_deadline: Seconds = 300.0
    read_timeout: Seconds = 15.0
    lease: Seconds = 30.0
    renew_every: Seconds = 10.0
    max_bytes: int = Field(default=1024**3, ge=1)
    max_tries: int = Field(default=15, ge=1)
    channel_patience: Seconds = 3600.0

    @field_validator("sealing_keys")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_keys(text)
        return text
