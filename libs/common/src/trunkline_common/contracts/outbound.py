"""Facts the outbound service publishes. Only outbound may publish these; anyone may hear them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from trunkline_common.contracts.envelope import Event

CallOutcome = Literal["answered", "machine", "busy", "no_answer", "failed", "canceled"]
FinalJobState = Literal["done", "skipped", "cancelled", "exhausted", "unknown"]


class RunStarted(Event):
    """The audience is frozen and claims may be handed out."""

    name: ClassVar[str] = "run.started.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    total: int
    rejects: int


class RunRejected(Event):
    """The run can never start; nothing was sent."""

    name: ClassVar[str] = "run.rejected.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    reason: str


class RunProgressed(Event):
    """How many jobs are in each state and outcome; at most one per run and second.

    `version` only grows, so a reader that kept a higher one drops this.
    """

    name: ClassVar[str] = "run.progressed.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    version: int
    total: int
    states: dict[str, int]
    outcomes: dict[str, int]


class RunCompleted(Event):
    """Every job of the run is in a final state, and no claim is open."""

    name: ClassVar[str] = "run.completed.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    version: int
    total: int
    states: dict[str, int]
    outcomes: dict[str, int]


ControlName = Literal["pause", "resume", "cancel", "edit"]


class RunPaused(Event):
    """No request is admitted any more until the run is resumed; `in_flight` ones still end."""

    name: ClassVar[str] = "run.paused.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    step: int = Field(description="grows with every change of the run's state")
    control_id: str | None = None
    reason: str | None = Field(default=None, description="why it paused by itself")
    in_flight: int = 0


class RunResumed(Event):
    """The run goes on."""

    name: ClassVar[str] = "run.resumed.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    step: int
    control_id: str | None = None


class RunPolicyChanged(Event):
    """The run behaves by this policy from now on."""

    name: ClassVar[str] = "run.policy_changed.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    step: int
    control_id: str
    policy: dict[str, object]


class RunCancelling(Event):
    """The receipt of a cancel: no request is admitted after it.

    `stopped` will never be sent, `in_flight` had been admitted before, `ended` were over.
    """

    name: ClassVar[str] = "run.cancelling.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    step: int
    control_id: str | None = None
    reason: str | None = None
    hang_up: bool = False
    stopped: int
    in_flight: int
    ended: int


class _RunOver(Event):
    """A cancelled run whose last job is final; counts as in `RunCompleted`."""

    subject_field: ClassVar[str] = "run_id"

    run_id: str
    version: int
    total: int
    states: dict[str, int]
    outcomes: dict[str, int]
    reason: str | None = None


class RunCancelled(_RunOver):
    """The cancel is complete: every job is final and no claim is open."""

    name: ClassVar[str] = "run.cancelled.v1"


class RunFailed(_RunOver):
    """The run could never go on; the reason says why. What had been sent is counted."""

    name: ClassVar[str] = "run.failed.v1"


class RunControlRefused(Event):
    """A control that does not fit the run's state; nothing changed."""

    name: ClassVar[str] = "run.control_refused.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    control_id: str
    control: ControlName
    state: str
    reason: str


class JobEnded(Event):
    """One contact's turn in a run is over, with the reason."""

    name: ClassVar[str] = "job.ended.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: str
    seq: int
    contact_id: str
    state: FinalJobState
    outcome: str | None = None
    reason: str


class RunMessageDue(Event):
    """A WhatsApp job's turn: messaging sends it once, under this attempt."""

    name: ClassVar[str] = "run.message_due.v1"
    subject_field: ClassVar[str] = "attempt_id"

    run_id: str
    seq: int
    attempt_id: str
    channel_id: str
    contact_id: str
    to: str
    text: str


class CallDialled(Event):
    """The provider accepted a call of ours, whoever brought the news."""

    name: ClassVar[str] = "call.dialled.v1"
    subject_field: ClassVar[str] = "call_id"

    call_id: str
    attempt_id: str
    run_id: str
    seq: int
    contact_id: str
    channel_id: str
    account: str
    provider_call_id: str
    from_number: str
    to_number: str
    dialled_at: datetime


class CallAnswered(Event):
    """Somebody, or something, picked up."""

    name: ClassVar[str] = "call.answered.v1"
    subject_field: ClassVar[str] = "call_id"

    call_id: str
    attempt_id: str
    run_id: str
    seq: int
    answered_at: datetime | None = None


class CallEnded(Event):
    """The call is over."""

    name: ClassVar[str] = "call.ended.v1"
    subject_field: ClassVar[str] = "call_id"

    call_id: str
    attempt_id: str
    run_id: str
    seq: int
    contact_id: str
    provider_call_id: str
    outcome: CallOutcome
    duration: int = Field(description="seconds")
    answered_by: str | None = None
    ended_at: datetime | None = None
    code: str | None = Field(default=None, description="why it ended: the provider's or SIP's")


class CallUnknown(Event):
    """Nobody can say whether the provider took the call; it is never dialled again by itself."""

    name: ClassVar[str] = "call.unknown.v1"
    subject_field: ClassVar[str] = "call_id"

    call_id: str
    attempt_id: str
    run_id: str
    seq: int
    reason: str
