"""How a provider's report becomes a recording to fetch, or one that never will be."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.contracts.api import RecordingReported
from trunkline_common.contracts.envelope import Envelope
from trunkline_common.contracts.recordings import RecordingFailed
from trunkline_common.db import outbox
from trunkline_common.db.outbox import Fact
from trunkline_common.ids import BUSINESS, RECORDING, is_id, new_id
from trunkline_common.outcomes import Refuse
from trunkline_recordings.store import recordings

_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_RECORDING: Final = re.compile(r"RE[0-9a-fA-F]{32}")
_NOTHING: Final = {"absent": "the provider recorded nothing", "failed": "failed at the provider"}


async def take_in(session: AsyncSession, envelope: Envelope[RecordingReported]) -> None:
    """Write a finished recording down once, however often it is reported."""
    event = envelope.event
    ids = (_ACCOUNT.fullmatch(event.account), _RECORDING.fullmatch(event.provider_recording_id))
    if None in ids:
        raise Refuse("not the ids of a Twilio recording")
    if not is_id(envelope.business_id, BUSINESS):
        raise Refuse("not the id of a business")
    failure = _NOTHING.get(event.status)
    if event.status != "completed" and failure is None:
        return  # still going on: another report follows
    recording_id = new_id(RECORDING)
    new = await recordings.insert(session, envelope, recording_id=recording_id, failure=failure)
    if new and failure is not None:
        await _fail(session, envelope, recording_id, failure)


async def _fail(
    session: AsyncSession, envelope: Envelope[RecordingReported], recording_id: str, reason: str
) -> None:
    event = RecordingFailed(
        recording_id=recording_id,
        provider_recording_id=envelope.event.provider_recording_id,
        provider_call_id=envelope.event.provider_call_id,
        attempt_id=envelope.event.attempt_id,
        reason=reason,
    )
    await outbox.add(
        session,
        Fact(event, envelope.business_id, envelope.correlation_id, causation_id=envelope.id),
    )
