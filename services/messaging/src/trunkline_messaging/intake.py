"""How an event that asks for a message becomes a message."""

from __future__ import annotations

from trunkline_common.contracts.api import MessageRequested
from trunkline_common.contracts.envelope import Envelope
from trunkline_common.contracts.outbound import RunMessageDue
from trunkline_common.ids import ATTEMPT, MESSAGE, new_id
from trunkline_messaging.store.messages import BROADCASTS, HIGH, NewMessage


def requested(envelope: Envelope[MessageRequested]) -> NewMessage:
    """A message outside any run: its attempt is ours to name."""
    event = envelope.event
    return NewMessage(
        message_id=event.message_id,
        attempt_id=new_id(ATTEMPT),
        business_id=envelope.business_id,
        channel_id=event.channel_id,
        lane=HIGH,
        address=event.to,
        body=event.text,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.id,
        traceparent=envelope.traceparent,
        contact_id=event.contact_id,
    )


def of_run(envelope: Envelope[RunMessageDue]) -> NewMessage:
    """A message of a run: outbound has named the attempt."""
    event = envelope.event
    return NewMessage(
        message_id=new_id(MESSAGE),
        attempt_id=event.attempt_id,
        business_id=envelope.business_id,
        channel_id=event.channel_id,
        lane=BROADCASTS,
        address=event.to,
        body=event.text,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.id,
        traceparent=envelope.traceparent,
        run_id=event.run_id,
        seq=event.seq,
        contact_id=event.contact_id,
    )
