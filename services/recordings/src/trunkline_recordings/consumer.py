"""What recordings does when it hears something. Read HANDLERS first."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common import topology
from trunkline_common.broker import Handlers
from trunkline_common.contracts import Envelope
from trunkline_common.contracts.api import ChannelChanged, RecordingReported
from trunkline_common.db.transaction import wake_after_commit
from trunkline_recordings import intake
from trunkline_recordings.store import channels
from trunkline_recordings.store.recordings import DUE


async def on_channel_changed(session: AsyncSession, envelope: Envelope[ChannelChanged]) -> None:
    """Keep the newest credentials of a voice account."""
    if envelope.event.kind != "voice":
        return
    if await channels.upsert_channel(session, envelope.event, business_id=envelope.business_id):
        wake_after_commit(session, DUE)


async def on_recording_reported(
    session: AsyncSession, envelope: Envelope[RecordingReported]
) -> None:
    """Write down what is to be fetched; the fetch loop finds it on its next look."""
    await intake.take_in(session, envelope)


HANDLERS: dict[topology.Queue, Handlers] = {
    topology.RECORDINGS_DEFAULT: {
        RecordingReported: on_recording_reported,
        ChannelChanged: on_channel_changed,
    },
}
