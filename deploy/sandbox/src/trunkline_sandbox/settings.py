"""What the sandbox may be told, by environment or by command line."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from trunkline_sandbox.fates import parse_mix


class SandboxSettings(BaseSettings):
    """Every setting has a default: the sandbox stands alone."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        8090, description="port to listen on; 0 takes a free one and prints it"
    )
    log: Path = Field(
        Path("sandbox-log.jsonl"), description="the witness: this file is only appended to"
    )
    speed: Annotated[float, Field(gt=0)] = Field(
        60.0, description="how many simulated seconds pass in a real one"
    )
    seed: int = Field(1, description="decides every outcome together with the number called")
    mix: str = Field(
        "answered=62,no-answer=18,busy=12,failed=5,machine=3",
        description="outcomes and their shares",
    )
    body_timeout: Annotated[float, Field(gt=0)] = Field(
        5.0, description="seconds that a request's body may take"
    )
    callback_timeout: Annotated[float, Field(gt=0)] = Field(
        15.0, description="seconds that a callback may take"
    )
    callback_hands: Annotated[int, Field(ge=1, le=1024)] = Field(
        64, description="callbacks under way at one time"
    )

    @field_validator("mix")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_mix(text)
        return text

    @model_validator(mode="after")
    def _log_is_a_file(self) -> Self:
        if self.log.is_dir():
            raise ValueError("LOG names a folder, not a file")
        return self
