"""Calls that no run asked for: on the way in, and legs that a call opened. Each says its owner."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, Literal

from pydantic import Field

from trunkline_common.contracts import api, content
from trunkline_common.contracts.envelope import Event
from trunkline_common.contracts.outbound import CallOutcome


class CallInboundReported(Event):
    """Of api: a call to a number of the channel, or a leg of one, came, went on or ended."""

    name: ClassVar[str] = "call.inbound_reported.v1"
    subject_field: ClassVar[str] = "provider_call_id"

    provider_call_id: str
    account: str
    channel_id: str
    from_number: str | None = Field(description="as the provider has it; may be withheld")
    to_number: str = Field(description="what was dialled: a sender of the channel; of a leg, not")
    status: str = Field(description="Twilio's CallStatus, verbatim")
    sequence_number: int | None = None
    duration: int | None = Field(default=None, description="seconds, with the final status")
    answered_by: str | None = None
    error_code: str | None = None
    sip_code: str | None = None
    reported_at: datetime | None = None
    parent_call_id: str | None = Field(default=None, description="of a leg: the provider's id")


class _Leg(Event):
    """Of outbound: the whole state of the call. Whoever has seen a higher `version` drops it."""

    subject_field: ClassVar[str] = "call_id"

    call_id: str
    version: int
    direction: Literal["inbound", "outbound"]
    channel_id: str
    account: str
    provider_call_id: str
    parent_call_id: str | None = Field(default=None, description="of the call that opened it")
    from_number: str | None = None
    to_number: str | None = None
    began_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: CallOutcome | None = None
    duration: int | None = Field(default=None, description="seconds")
    answered_by: str | None = None
    code: str | None = Field(default=None, description="why it ended: the provider's or SIP's")
    price: str | None = None
    price_unit: str | None = None


class CallLegRinging(_Leg):
    """It is there."""

    name: ClassVar[str] = "call.leg_ringing.v1"


class CallLegAnswered(_Leg):
    """It was answered: of a call on the way in, by us."""

    name: ClassVar[str] = "call.leg_answered.v1"


class CallLegEnded(_Leg):
    """It is over; said again when its price is known."""

    name: ClassVar[str] = "call.leg_ended.v1"


class CallLegUnknown(_Leg):
    """Nobody can say how it ended: its provider stayed silent. An end that is heard corrects it."""

    name: ClassVar[str] = "call.leg_unknown.v1"

    reason: str = "no_final_callback"


class CallPriced(Event):
    """Of outbound: what the provider charges for a run's call that had ended before."""

    name: ClassVar[str] = "call.priced.v1"
    subject_field: ClassVar[str] = "call_id"

    call_id: str
    price: str = Field(description="as the provider writes it: negative is a charge")
    price_unit: str | None = None


LEG_FACTS: Final[tuple[type[Event], ...]] = (
    CallLegRinging,
    CallLegAnswered,
    CallLegEnded,
    CallLegUnknown,
    CallPriced,
)
# What a provider says of calls, whoever asked for them; api tells it, outbound hears it.
ABOUT_CALLS: Final[tuple[type[Event], ...]] = (
    api.CallStatusReported,
    api.CallTwimlFetched,
    *content.IN_CALLS,
    CallInboundReported,
)
