"""Facts the api service publishes. Only api may publish these; anyone may hear them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from trunkline_common.contracts.envelope import Event

ChannelKind = Literal["voice", "whatsapp"]
SuppressionKind = Literal["address", "prefix", "contact"]


class BusinessCreated(Event):
    """A tenant exists from now on."""

    name: ClassVar[str] = "business.created.v1"
    subject_field: ClassVar[str] = "business_id"

    business_id: str
    display_name: str
    country: str = Field(description="ISO 3166-1 alpha-2; how national numbers are read")
    time_zone: str = Field(description="IANA zone")


class ChannelChanged(Event):
    """The whole state of a business's provider account; older versions are dropped by sequence.

    `sealed` is AES-GCM over the credentials' JSON (see `trunkline_common.sealing`); each service
    that calls the provider stores the sealed form.
    """

    name: ClassVar[str] = "channel.changed.v1"
    subject_field: ClassVar[str] = "channel_id"

    channel_id: str
    kind: ChannelKind
    version: int
    account: str = Field(description="Twilio account SID, or Meta phone number id")
    senders: tuple[str, ...] = Field(description="E.164 numbers that may call or write")
    key_id: str
    sealed: str
    per_second: float = Field(default=1.0, description="requests per second the account allows")
    concurrent: int = Field(default=1000, description="calls in the air, or hand-overs, at most")
    enabled: bool = True


class RunContent(BaseModel):
    """What a run says: `script` is spoken in a call, `text` is written in a message."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    script: str | None = None
    language: str = "en-US"
    text: str | None = None


class RunPolicy(BaseModel):
    """How a run behaves. Times in seconds, pace in requests per second."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    per_second: float | None = None
    concurrent: int | None = None
    record: bool = True
    ring_timeout: int = 30
    time_limit: int = 600
    max_attempts: int = 1
    retry_after: int = 900
    when_absent: Literal["never", "resend"] = Field(
        default="never", description="after a lost answer, if the provider proves it has no call"
    )


class RunRequested(Event):
    """A business started a run; its audience follows in numbered chunks."""

    name: ClassVar[str] = "run.requested.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    display_name: str
    channel: ChannelKind
    channel_id: str
    content: RunContent
    policy: RunPolicy
    start_at: datetime | None = None


class AudienceContact(BaseModel):
    """One contact of an audience chunk; `address` is E.164."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    contact_id: str
    address: str
    zone: str | None = None
    variables: dict[str, str] = Field(default_factory=dict)


class RunAudienceAdded(Event):
    """One numbered chunk (from 1) of a run's audience: at most 1,000 contacts and 96 KiB."""

    name: ClassVar[str] = "run.audience_added.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    chunk: int
    contacts: tuple[AudienceContact, ...]


class RunAudienceClosed(Event):
    """The audience is complete once this many chunks have arrived."""

    name: ClassVar[str] = "run.audience_closed.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    chunks: int
    contacts: int


class _RunControl(Event):
    """What all controls share: `control_id` comes back in the answer, whichever it is."""

    subject_field: ClassVar[str] = "run_id"

    run_id: str
    control_id: str


class RunPauseRequested(_RunControl):
    """Hand out nothing more until the run is resumed; what is in flight ends."""

    name: ClassVar[str] = "run.pause_requested.v1"


class RunResumeRequested(_RunControl):
    """Go on where a pause stopped."""

    name: ClassVar[str] = "run.resume_requested.v1"


class RunCancelRequested(_RunControl):
    """Admit no further request, ever. `hang_up` ends the calls in the air as well."""

    name: ClassVar[str] = "run.cancel_requested.v1"

    hang_up: bool = False


class RunEdited(_RunControl):
    """The policy of a run from now on, whole; content and audience do not change."""

    name: ClassVar[str] = "run.edited.v1"

    policy: RunPolicy
    start_at: datetime | None = None


class _Suppression(Event):
    """What both facts say: the last version of (business, kind, value, run, channel) counts."""

    subject_field: ClassVar[str] = "suppression_id"

    suppression_id: str
    kind: SuppressionKind
    value: str = Field(description="E.164, the beginning of such numbers (+4990), or a contact id")
    run_id: str | None = Field(default=None, description="only in this run; else in all of them")
    channel: ChannelKind | None = Field(default=None, description="only there; else on both")
    version: int


class ContactSuppressed(_Suppression):
    """Nobody whom this fits is called or written to by a run any more."""

    name: ClassVar[str] = "contact.suppressed.v1"

    source: str = Field(description="who brought it: api, import, opt_out, ...")
    reason: str | None = None
    evidence: str | None = Field(default=None, description="what a regulator would be shown")


class ContactUnsuppressed(_Suppression):
    """That suppression was lifted; others of the same contact still hold."""

    name: ClassVar[str] = "contact.unsuppressed.v1"


class MessageRequested(Event):
    """A business asked for one message to one contact, outside any run."""

    name: ClassVar[str] = "message.requested.v1"
    subject_field: ClassVar[str] = "message_id"

    message_id: str
    channel_id: str
    to: str
    text: str
    contact_id: str | None = None


class CallStatusReported(Event):
    """Twilio reported a call's progress; signature verified, raw form stored by api."""

    name: ClassVar[str] = "call.status_reported.v1"
    subject_field: ClassVar[str] = "provider_call_id"

    provider_call_id: str
    account: str
    channel_id: str
    attempt_id: str
    status: str = Field(description="Twilio's CallStatus, verbatim")
    sequence_number: int | None = None
    duration: int | None = Field(default=None, description="seconds, with the final status")
    answered_by: str | None = None
    error_code: str | None = None
    sip_code: str | None = None
    reported_at: datetime | None = Field(default=None, description="the provider's own clock")


class CallTwimlFetched(Event):
    """Twilio asked for an attempt's script: proof that the attempt was accepted."""

    name: ClassVar[str] = "call.twiml_fetched.v1"
    subject_field: ClassVar[str] = "provider_call_id"

    provider_call_id: str
    account: str
    channel_id: str
    attempt_id: str


class RecordingReported(Event):
    """Twilio reported a finished recording; the audio is still with the provider."""

    name: ClassVar[str] = "recording.reported.v1"
    subject_field: ClassVar[str] = "provider_recording_id"

    provider_recording_id: str
    provider_call_id: str
    account: str
    channel_id: str
    attempt_id: str
    status: str
    duration: int | None = None
    channels: int | None = None
    reported_at: datetime | None = None


class MessageStatusReported(Event):
    """Meta reported a message's delivery state; signature verified, raw body stored by api."""

    name: ClassVar[str] = "message.status_reported.v1"
    subject_field: ClassVar[str] = "provider_message_id"

    provider_message_id: str
    channel_id: str
    attempt_id: str | None = Field(description="from biz_opaque_callback_data, if ours")
    status: str = Field(description="sent, delivered, read or failed, verbatim")
    error_code: int | None = None
    error_title: str | None = None
    reported_at: datetime | None = None
