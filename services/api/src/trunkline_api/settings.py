"""What the environment must provide to api."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from trunkline_common.sealing import parse_keys
from trunkline_common.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read once, in `__main__`."""

    model_config = SettingsConfigDict(env_prefix="API_", frozen=True, extra="ignore")

    public_url: str = Field(description="how the world reaches us; providers sign it")
    sealing_keys: SecretStr = Field(description="name:base64-of-32-bytes,…; the first one seals")
    callback_secret: SecretStr = Field(min_length=16, description="proves our callback URLs")
    operator_token: SecretStr = Field(min_length=16, description="may create businesses")
    outbound_url: str | None = Field(
        default=None, description="outbound's own `serve`, for pages of its decision log"
    )
    internal_token: SecretStr | None = Field(
        default=None, min_length=16, description="the same as outbound's: what it knows us by"
    )
    upload_max_bytes: int = Field(default=20 * 1024 * 1024, ge=1024)
    upload_max_rows: int = Field(default=100_000, ge=1)
    business_concurrent: int | None = Field(
        default=5_000, ge=1, description="calls in the air of a new business; none: no such limit"
    )
    events_keep_days: int = Field(default=30, ge=1, description="raw provider events")

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            message = "must begin with http:// or https://"
            raise ValueError(message)
        return value.rstrip("/")

    @field_validator("sealing_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr) -> SecretStr:
        parse_keys(value.get_secret_value())
        return value
