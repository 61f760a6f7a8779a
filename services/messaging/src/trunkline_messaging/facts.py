"""Facts about messages, each in its message's own trace and under its correlation."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from trunkline_common.contracts.envelope import Event
from trunkline_common.contracts.messaging import (
    MessageAccepted,
    MessageCancelled,
    MessageDelivered,
    MessageFailed,
    MessageRead,
    MessageSent,
    MessageUnknown,
)
from trunkline_common.db.outbox import Fact
from trunkline_messaging.store.messages import Message
from trunkline_messaging.store.statuses import Status


class _About(TypedDict):
    message_id: str
    attempt_id: str
    channel_id: str
    run_id: str | None
    seq: int | None
    contact_id: str | None


_PROGRESS: dict[str, type[MessageSent | MessageDelivered | MessageRead]] = {
    "sent": MessageSent,
    "delivered": MessageDelivered,
    "read": MessageRead,
}


def accepted(
    message: Message, provider_message_id: str, at: datetime | None, *, caused_by: str | None = None
) -> Fact:
    """The provider has it."""
    event = MessageAccepted(
        **_about(message),
        at=at,
        provider_message_id=provider_message_id,
        to=message.address,
        text=message.body,
    )
    return _fact(message, event, caused_by)


def progressed(message: Message, status: Status) -> Fact:
    """The provider reported how far it has come."""
    if status.status == "failed":
        return failed(
            message,
            code=status.code or "failed",
            reason=status.title or "the provider could not deliver it",
            at=status.reported_at,
            caused_by=status.event_id,
        )
    event = _PROGRESS[status.status](**_about(message), at=status.reported_at)
    return _fact(message, event, status.event_id)


def failed(
    message: Message,
    *,
    code: str,
    reason: str,
    at: datetime | None = None,
    caused_by: str | None = None,
) -> Fact:
    """It will not arrive."""
    event = MessageFailed(**_about(message), at=at, code=code, reason=reason)
    return _fact(message, event, caused_by)


def unknown(message: Message, reason: str) -> Fact:
    """Nobody can say whether the provider has it."""
    return _fact(message, MessageUnknown(**_about(message), reason=reason), None)


def cancelled(message: Message, caused_by: str | None, *, reason: str | None = None) -> Fact:
    """Its run was cancelled in time, or its contact suppressed."""
    return _fact(message, MessageCancelled(**_about(message), reason=reason), caused_by)


def _about(message: Message) -> _About:
    return _About(
        message_id=message.message_id,
        attempt_id=message.attempt_id,
        channel_id=message.channel_id,
        run_id=message.run_id,
        seq=message.seq,
        contact_id=message.contact_id,
    )


def _fact(message: Message, event: Event, caused_by: str | None) -> Fact:
    return Fact(
        event,
        message.business_id,
        message.correlation_id,
        causation_id=caused_by or message.causation_id,
        traceparent=message.traceparent,
    )
