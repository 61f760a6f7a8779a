"""What the environment says about the local stack: servers of one's own, and which brokers."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once by a command; nothing here is required."""

    model_config = SettingsConfigDict(env_prefix="TRUNKLINE_", frozen=True, env_ignore_empty=True)

    postgres_url: str | None = Field(default=None, description="a superuser's URL")
    amqp_url: str | None = None
    rabbitmq_management_url: str | None = None
    brokers: str = Field(default="found", validation_alias="BROKERS")
    broker: str | None = Field(
        default=None, validation_alias="BROKER", description="RabbitMQ of this series, as 4.3"
    )
