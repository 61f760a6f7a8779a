"""Facts that recordings publishes. Only recordings may publish these; anyone may hear them."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from trunkline_common.contracts.envelope import Event


class RecordingStored(Event):
    """The audio is in our object storage, its size and checksum verified."""

    name: ClassVar[str] = "recording.stored.v1"
    subject_field: ClassVar[str] = "recording_id"

    recording_id: str
    provider_recording_id: str
    provider_call_id: str
    attempt_id: str
    storage_key: str
    size: int = Field(description="bytes")
    sha256: str
    content_type: str
    duration: int | None = Field(default=None, description="seconds")


class RecordingFailed(Event):
    """The audio could not be had, for good; the reason says why."""

    name: ClassVar[str] = "recording.failed.v1"
    subject_field: ClassVar[str] = "recording_id"

    recording_id: str
    provider_recording_id: str
    provider_call_id: str
    attempt_id: str
    reason: str
