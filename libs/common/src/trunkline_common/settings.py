"""What the environment must provide: read once, in `__main__`, and refused in one line."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

BAD_SETTINGS_EXIT = 2


class ServiceSettings(BaseSettings):
    """What every service needs. A service subclasses it with its own `env_prefix`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field(repr=False)
    migration_database_url: str | None = Field(
        default=None, repr=False, description="the schema's owner, for `migrate` only"
    )
    broker_url: str = Field(
        repr=False, description="amqp://...; of a cluster several nodes, with commas between"
    )
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535, description="0 takes a free port")
    pool_size: int = Field(default=8, ge=1, le=100)
    relay_lease: float = Field(
        default=30.0, ge=1, description="seconds after which a lost relay's facts leave"
    )
    scheduler_lease: float = Field(
        default=20.0, ge=1, description="seconds after which a lost scheduler has a successor"
    )


class ProcessSettings(BaseSettings):
    """What is the same for every service and carries no prefix."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    service_role: Literal["all", "api", "worker"] = "all"
    enable_schedulers: bool = True
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    trunkline_spans_dir: str | None = None
    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_traces_endpoint: str | None = None
    otel_exporter_otlp_metrics_endpoint: str | None = None

    @property
    def otlp_traces(self) -> bool:
        """Whether somebody collects spans; where, the exporter reads by itself."""
        return bool(self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_traces_endpoint)

    @property
    def otlp_metrics(self) -> bool:
        """Whether somebody collects figures."""
        return bool(self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_metrics_endpoint)


class MigrationSettings(BaseSettings):
    """All that `migrate` needs: a migration job holds no other secret."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    migration_database_url: str = Field(repr=False)


class BadSettings(Exception):
    """The environment lacks something; the message names every variable at fault."""


T = TypeVar("T", bound=BaseSettings)


def read_settings(settings: type[T], *, prefix: str | None = None) -> T:
    """Read settings from the environment, or raise `BadSettings` without showing any value."""
    chosen = settings.model_config.get("env_prefix", "") if prefix is None else prefix
    try:
        return settings(_env_prefix=chosen)
    except ValidationError as error:
        faults = (
            f"{chosen}{'_'.join(str(part) for part in fault['loc'])}".upper() + f": {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise BadSettings("; ".join(faults)) from None
