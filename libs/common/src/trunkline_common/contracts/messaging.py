"""Facts the messaging service publishes. Only messaging may publish these; anyone may hear them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from trunkline_common.contracts.envelope import Event


class _MessageFact(Event):
    """What all facts about one message share; run, seq and attempt are absent outside runs."""

    subject_field: ClassVar[str] = "message_id"

    message_id: str
    attempt_id: str
    channel_id: str
    run_id: str | None = None
    seq: int | None = None
    contact_id: str | None = None
    at: datetime | None = None


class MessageAccepted(_MessageFact):
    """Meta took the message and gave it an id."""

    name: ClassVar[str] = "message.accepted.v1"

    provider_message_id: str
    to: str
    text: str


class MessageSent(_MessageFact):
    """Meta handed it to the recipient's device network."""

    name: ClassVar[str] = "message.sent.v1"


class MessageDelivered(_MessageFact):
    """It is on the recipient's device."""

    name: ClassVar[str] = "message.delivered.v1"


class MessageRead(_MessageFact):
    """The recipient opened it."""

    name: ClassVar[str] = "message.read.v1"


class MessageFailed(_MessageFact):
    """It will not arrive: refused by the provider, or failed on its way."""

    name: ClassVar[str] = "message.failed.v1"

    code: str
    reason: str


class MessageCancelled(_MessageFact):
    """Stopped before it was admitted: it was not sent and never will be."""

    name: ClassVar[str] = "message.cancelled.v1"

    reason: str | None = Field(
        default=None, description="suppressed_address, …; none: its run was cancelled"
    )


class MessageUnknown(_MessageFact):
    """The provider's answer was lost and nothing proved acceptance; it is not sent again."""

    name: ClassVar[str] = "message.unknown.v1"

    reason: str
