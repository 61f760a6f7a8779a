"""What outbound's environment must provide. Read once, in `__main__`."""

from __future__ import annotations

from datetime import time

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from trunkline_common.settings import ServiceSettings


class Settings(ServiceSettings):
    """Variables begin with OUTBOUND_. Times in seconds; defaults are the protocol's."""

    model_config = SettingsConfigDict(env_prefix="OUTBOUND_", frozen=True, extra="ignore")

    sealing_keys: SecretStr = Field(description="name:base64 of 32 bytes, the current key first")
    callback_secret: SecretStr = Field(description="the same as api's: proves our callback URLs")
    callback_base_url: str = Field(description="api's public URL, as providers reach it")
    internal_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="the same as api's; without it `serve` tells api no",
    )
    twilio_base_url: str = "https://api.twilio.com"

    concurrency: int = Field(default=100, ge=1, le=5000, description="requests in flight")
    claim_size: int = Field(default=200, ge=1, le=5000)
    micro_batch: int = Field(default=50, ge=1, le=500)
    lease_seconds: float = Field(default=30.0, ge=1)
    renew_seconds: float = Field(default=10.0, ge=0.1)
    margin_seconds: float = Field(default=10.0, ge=0.1)
    send_deadline_seconds: float = Field(default=10.0, ge=0.5)
    answer_seconds: float = Field(default=10.0, ge=0.5)
    grace_seconds: float = Field(
        default=120.0, ge=1, description="in doubt: before it an absence proves nothing"
    )
    call_poll_seconds: float = Field(
        default=60.0, ge=1, description="without news of a call, ask its provider"
    )
    audit_at: time = Field(
        default=time(3, 30), description="UTC: from then on the day before is audited"
    )
    run_keep_days: int = Field(
        default=400, ge=1, description="a month of runs is dropped when all ended so long ago"
    )
    sweep_seconds: float = Field(default=5.0, ge=0.1)
    in_doubt_horizon_seconds: float = Field(default=600.0, ge=1)
    call_margin_seconds: float = Field(
        default=900.0, ge=1, description="past the ringing and talking time that a run allows"
    )
    message_horizon_seconds: float = Field(
        default=86_400.0, ge=1, description="after messaging's last word on a message"
    )
    message_unheard_seconds: float = Field(
        default=108_000.0,
        ge=1,
        description="without a word: MESSAGING_IN_DOUBT_HORIZON and time to queue there, at least",
    )
    addition_horizon_seconds: float = Field(
        default=259_200.0,
        ge=1,
        description="without the next piece of an addition, its run goes on without the rest",
    )
