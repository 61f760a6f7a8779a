"""Facts the api service publishes. Only api may publish these; anyone may hear them."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from trunkline_common.contracts.content import ContentVariable
from trunkline_common.contracts.envelope import Event
from trunkline_common.contracts.limits import AutoPause, ContactBudget, NumberCaps, WallTime

ChannelKind = Literal["voice", "whatsapp"]


class BusinessCreated(Event):
    """A tenant exists from now on."""

    name: ClassVar[str] = "business.created.v1"
    subject_field: ClassVar[str] = "business_id"

    business_id: str
    display_name: str
    country: str = Field(description="ISO 3166-1 alpha-2; how national numbers are read")
    time_zone: str = Field(description="IANA zone")
    concurrent: int | None = Field(default=None, description="as in business.settings_changed")


class BusinessSettingsChanged(Event):
    """The whole of a business's settings; older versions are dropped by `version`."""

    name: ClassVar[str] = "business.settings_changed.v1"
    subject_field: ClassVar[str] = "business_id"

    business_id: str
    version: int
    display_name: str
    country: str
    time_zone: str
    holidays: tuple[date, ...] = Field(
        default=(), description="days on which nobody is called, whatever a run's window says"
    )
    contact_budget: ContactBudget | None = None
    weight: float = Field(default=1.0, description="its share of the turns beside others")
    concurrent: int | None = Field(
        default=None, description="calls in the air and hand-overs, of all its accounts together"
    )


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
    per_number: NumberCaps | None = None


class RunContent(BaseModel):
    """What a run says, as far as others need it: `script` is spoken, `text` is written.

    The steps of a call stay with api, which answers the provider; `variables` fill `text`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    script: str | None = None
    language: str = "en-US"
    text: str | None = None
    variables: dict[str, ContentVariable] = Field(default={})
    leaves_voicemail: bool = Field(
        default=False, description="a message is left after the beep if a machine answers"
    )


class CallingWindow(BaseModel):
    """When contacts may be called or written to, on their own wall clock. ISO weekdays."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    opens: WallTime = time(9)
    closes: WallTime = time(20)
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)


class OutcomeRetry(BaseModel):
    """How often a call that ended in some way is tried again, and after how many seconds.

    The n-th end of this kind waits `delays[n - 1]`, later ones the last of them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    most: int
    delays: tuple[int, ...]


class RunPolicy(BaseModel):
    """How a run behaves. Times in seconds, pace in requests per second."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    per_second: float | None = None
    concurrent: int | None = None
    record: bool = True
    ring_timeout: int = 30
    time_limit: int = 600
    max_attempts: int = Field(default=1, description="of one contact, whatever comes of each")
    retry_after: int = Field(default=900, description="without `retries`: for busy and no answer")
    retries: dict[Literal["busy", "no_answer", "machine", "failed"], OutcomeRetry] | None = None
    window: CallingWindow | None = None
    when_absent: Literal["never", "resend"] = Field(
        default="never", description="after a lost answer, if the provider proves it has no call"
    )
    auto_pause: AutoPause | None = None
    detect_machines: bool = Field(
        default=False, description="find out who answers before anything is said"
    )
    detection_timeout: int = Field(default=30, description="after which nobody knows: a person")


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
    number: int | None = Field(
        default=None, description="of the run's controls, in the order in which they were asked"
    )


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
