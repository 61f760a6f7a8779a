"""What api tells of calls that no attempt asked for, as the set keeps it."""

from __future__ import annotations

from trunkline_common.contracts import Envelope
from trunkline_common.contracts.content import CallLegReported
from trunkline_common.contracts.inbound import CallInboundReported
from trunkline_outbound.store.legs import SaidOfLeg


def said_of_inbound(envelope: Envelope[CallInboundReported]) -> SaidOfLeg:
    """A word about a call to one of the business's numbers."""
    event = envelope.event
    return SaidOfLeg(
        business_id=envelope.business_id,
        account=event.account,
        provider_id=event.provider_call_id,
        status=event.status,
        number=-1 if event.sequence_number is None else event.sequence_number,
        channel_id=event.channel_id,
        direction="outbound" if event.parent_call_id else "inbound",
        parent_id=event.parent_call_id,
        correlation_id=envelope.correlation_id,
        event_id=envelope.id,
        from_number=event.from_number,
        to_number=event.to_number,
        duration=event.duration,
        answered_by=event.answered_by,
        code=event.error_code or event.sip_code,
    )


def said_of_leg(envelope: Envelope[CallLegReported]) -> SaidOfLeg:
    """A word about a leg that a call of ours opened."""
    event = envelope.event
    return SaidOfLeg(
        business_id=envelope.business_id,
        account=event.account,
        provider_id=event.leg_id,
        status=event.status,
        number=-1,
        channel_id=event.channel_id,
        direction="outbound",
        correlation_id=envelope.correlation_id,
        event_id=envelope.id,
        parent_id=event.provider_call_id,
        duration=event.duration,
    )
