"""What runs say, and what was answered: facts of the api service, as those in `api` are."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from trunkline_common.contracts.envelope import Event


class ContentVariable(BaseModel):
    """A name that texts use as `{{name}}`; without a default every contact has a value for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    default: str | None = None


class CallDigitsReported(Event):
    """Somebody was asked for keys in a call of ours; signature verified, raw form stored by api."""

    name: ClassVar[str] = "call.digits_reported.v1"
    subject_field: ClassVar[str] = "provider_call_id"

    provider_call_id: str
    account: str
    channel_id: str
    attempt_id: str
    step: int = Field(description="which step of the content asked, from 0")
    turn: int = Field(description="how often it had asked before")
    digits: str = Field(description="what was pressed; empty if nothing was")
    meaning: Literal["opt_out", "confirm", "connect", "repeat", "hang_up", "no_input"]


class CallLegReported(Event):
    """A leg that a call of ours opened, to an agent, went on or ended. The call itself goes on."""

    name: ClassVar[str] = "call.leg_reported.v1"
    subject_field: ClassVar[str] = "provider_call_id"

    provider_call_id: str = Field(description="of the call of ours, the parent")
    leg_id: str = Field(description="what the provider calls the leg")
    account: str
    channel_id: str
    attempt_id: str
    status: str = Field(description="Twilio's CallStatus, verbatim")
    duration: int | None = Field(default=None, description="seconds, with the final status")


IN_CALLS: Final[tuple[type[Event], ...]] = (CallDigitsReported, CallLegReported)
