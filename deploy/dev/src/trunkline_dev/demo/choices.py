"""What may be chosen about a demo, by option or by variable."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

SHORT_ROWS = 200


class DemoSettings(BaseSettings):
    """`DEMO_ROWS` shortens the file, `KEEP` leaves everything running."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    demo_rows: int | None = Field(default=None, ge=10, le=1000)
    keep: bool = False
