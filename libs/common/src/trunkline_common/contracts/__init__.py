"""Every event there is, written out, with the service that owns it."""

from __future__ import annotations

from typing import Final

from trunkline_common.contracts import (
    api,
    content,
    inbound,
    messaging,
    outbound,
    recordings,
    runs,
    suppressions,
)
from trunkline_common.contracts.envelope import Envelope, Event

OWNED: Final[dict[str, tuple[type[Event], ...]]] = {
    "api": (
        api.BusinessCreated,
        api.BusinessSettingsChanged,
        api.ChannelChanged,
        api.RunRequested,
        api.RunAudienceAdded,
        api.RunAudienceClosed,
        api.RunEdited,
        api.RunPauseRequested,
        api.RunResumeRequested,
        api.RunCancelRequested,
        runs.RunForecastRequested,
        runs.RunContactsAdded,
        suppressions.ContactSuppressed,
        suppressions.ContactUnsuppressed,
        api.MessageRequested,
        api.CallStatusReported,
        api.CallTwimlFetched,
        *content.IN_CALLS,
        inbound.CallInboundReported,
        api.RecordingReported,
        api.MessageStatusReported,
    ),
    "outbound": (
        outbound.RunStarted,
        outbound.RunRejected,
        outbound.RunProgressed,
        outbound.RunPaused,
        outbound.RunResumed,
        outbound.RunPolicyChanged,
        outbound.RunCancelling,
        outbound.RunCancelled,
        outbound.RunCompleted,
        outbound.RunFailed,
        outbound.RunControlRefused,
        runs.RunForecasted,
        runs.RunAdditionEnded,
        outbound.JobEnded,
        outbound.RunMessageDue,
        outbound.CallDialled,
        outbound.CallAnswered,
        outbound.CallEnded,
        outbound.CallUnknown,
        *inbound.LEG_FACTS,
    ),
    "messaging": (
        messaging.MessageAccepted,
        messaging.MessageSent,
        messaging.MessageDelivered,
        messaging.MessageRead,
        messaging.MessageFailed,
        messaging.MessageUnknown,
        messaging.MessageCancelled,
    ),
    "recordings": (
        recordings.RecordingStored,
        recordings.RecordingFailed,
    ),
}

EVENTS: Final[dict[str, type[Event]]] = {
    event.name: event for owned in OWNED.values() for event in owned
}

__all__ = ["EVENTS", "OWNED", "Envelope", "Event"]
