"""An event on the wire: CloudEvents in binary mode, as RabbitMQ's binding writes it.

Attributes are `ce-` headers and the body is the fact alone. Written by hand for speed; a test holds
it against the CloudEvents SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from aio_pika import DeliveryMode, Message
from pamqp.commands import Basic
from pydantic import ValidationError

from trunkline_common.broker.arrivals import Arrived
from trunkline_common.contracts import EVENTS
from trunkline_common.contracts.envelope import Envelope, Event
from trunkline_common.outcomes import Refuse
from trunkline_common.topology import exchange_of, routing_key

ATTEMPT: Final = "x-attempt"
REASON: Final = "x-reason"
CONTENT_TYPE: Final = "application/json"
SEQUENCE_DIGITS: Final = 20  # the CloudEvents extension compares sequences as strings


class Undecodable(Refuse):
    """Not an event of ours: it goes to the dead queue with this reason."""


@dataclass(frozen=True, slots=True)
class Content:
    """Body and properties as they go out: a tenth of what a `Message` of aio-pika costs."""

    body: bytes
    properties: Basic.Properties

    @property
    def headers(self) -> dict[str, Any]:
        """Ours and those of CloudEvents."""
        return cast(dict[str, Any], self.properties.headers)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready to be published."""

    exchange: str
    routing_key: str
    message: Content | Message
    name: str  # of its event, for whoever counts and backs off


class Wire(NamedTuple):
    """What a row of the outbox says, before it has the form of a message."""

    event_id: str
    business_id: str
    name: str
    subject: str
    payload: str
    correlation_id: str
    occurred_at: datetime
    causation_id: str | None = None
    sequence: int | None = None
    traceparent: str | None = None
    tracestate: str | None = None


def encode(wire: Wire, service: str) -> Outgoing:
    """The message of one fact of this service."""
    at = wire.occurred_at.astimezone(UTC)
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": wire.event_id,
        "ce-source": f"/trunkline/{service}",
        "ce-type": wire.name,
        "ce-subject": wire.subject,
        "ce-time": at.isoformat().replace("+00:00", "Z"),
        "ce-dataschema": f"urn:trunkline:schema:{wire.name}",
        "ce-businessid": wire.business_id,
        "ce-correlationid": wire.correlation_id,
        "ce-causationid": wire.causation_id,
        "ce-sequence": None if wire.sequence is None else f"{wire.sequence:0{SEQUENCE_DIGITS}d}",
        "ce-traceparent": wire.traceparent,
        "ce-tracestate": wire.tracestate,
        "traceparent": wire.traceparent,
    }
    headers: dict[str, Any] = {name: value for name, value in attributes.items() if value}
    headers[ATTEMPT] = 1
    properties = Basic.Properties(
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT.value,
        message_id=wire.event_id,
        message_type=wire.name,
        correlation_id=wire.correlation_id[:255],
        timestamp=at.replace(microsecond=0),
        app_id=f"trunkline-{service}",
        headers=headers,
    )
    key = routing_key(wire.business_id, wire.name)
    return Outgoing(
        exchange_of(service), key, Content(wire.payload.encode(), properties), wire.name
    )


def headers_of(message: Arrived) -> Mapping[str, Any]:
    return message.headers or {}


def attempt_of(message: Arrived) -> int:
    """Which attempt this delivery is, from 1. Our own count: brokers disagree about theirs."""
    attempt = headers_of(message).get(ATTEMPT, 1)
    return attempt if isinstance(attempt, int) and attempt > 0 else 1


def tag_of(message: Arrived) -> int:
    """What a delivery is acknowledged by, within its channel."""
    return message.delivery_tag or 0


def was_redelivered(message: Arrived) -> bool:
    """Whether the broker has handed it out before."""
    return bool(message.redelivered)


def decode(message: Arrived) -> Envelope[Event]:
    """The event of a delivery, or `Undecodable` with the reason."""
    headers = headers_of(message)
    if headers.get("ce-specversion") != "1.0":
        raise Undecodable("not a CloudEvent 1.0 in binary mode")
    name = _text(headers, "ce-type")
    event_type = EVENTS.get(name)
    if event_type is None:
        raise Undecodable(f"unknown event {name}")
    try:
        event = event_type.model_validate_json(message.body)
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise Undecodable(f"{name} does not parse: {'; '.join(faults)}"[:500]) from None
    try:
        occurred_at = datetime.fromisoformat(_text(headers, "ce-time"))
        sequence = int(headers["ce-sequence"]) if "ce-sequence" in headers else None
    except (ValueError, TypeError) as error:
        raise Undecodable(f"{name}: {error}") from None
    return Envelope(
        id=_text(headers, "ce-id"),
        source=_text(headers, "ce-source"),
        event=event,
        business_id=_text(headers, "ce-businessid"),
        occurred_at=occurred_at if occurred_at.tzinfo else occurred_at.replace(tzinfo=UTC),
        correlation_id=_text(headers, "ce-correlationid"),
        causation_id=headers.get("ce-causationid"),
        sequence=sequence,
        traceparent=headers.get("ce-traceparent"),
        tracestate=headers.get("ce-tracestate"),
    )


def _text(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    if not isinstance(value, str) or not value:
        raise Undecodable(f"header {name} is missing")
    return value
