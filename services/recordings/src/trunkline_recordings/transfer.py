"""One recording on its way from the provider into our storage: counted, summed, all or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from opentelemetry.trace import SpanKind

from trunkline_common.failpoints import failpoint
from trunkline_common.sealing import CannotUnseal, Sealer
from trunkline_common.telemetry import correlated, span
from trunkline_recordings.domain.keys import storage_key
from trunkline_recordings.domain.outcomes import Outcome, Stored
from trunkline_recordings.gateways.audio import Audio, AudioGateway, AudioOrder, NoAudio
from trunkline_recordings.storage.port import AlreadyStored, RecordingStore, StorageFailed
from trunkline_recordings.store.recordings import Claimed


class Sums:
    """Size and checksum of what passed by, and the refusal of what cannot be right."""

    def __init__(self, audio: Audio, *, limit: int) -> None:
        self._audio = audio
        self._limit = limit
        self._sum = hashlib.sha256()
        self.size = 0

    async def passing(self) -> AsyncIterator[bytes]:
        """The audio's chunks; raises `NoAudio` before the end of what is too long or too short."""
        announced = self._audio.length
        if announced is not None and announced > self._limit:
            raise self._too_long()
        async for chunk in self._audio.chunks:
            self.size += len(chunk)
            self._sum.update(chunk)
            if self.size > self._limit:
                raise self._too_long()
            yield chunk
        if self.size == 0 or (announced is not None and self.size != announced):
            raise NoAudio(Outcome("later", reason=f"{self.size} bytes of {announced}"))

    def stored(self) -> Stored:
        return Stored(self.size, self._sum.hexdigest(), self._audio.content_type)

    def _too_long(self) -> NoAudio:
        return NoAudio(Outcome("failed", reason=f"longer than {self._limit} bytes"))


@dataclass(frozen=True, slots=True)
class Transfer:
    """Fetches and stores claimed recordings; keeps nothing between them."""

    gateway: AudioGateway
    storage: RecordingStore
    sealer: Sealer
    max_bytes: int

    async def run(self, claimed: Claimed, still_ours: Callable[[], Awaitable[bool]]) -> Outcome:
        """Bring one recording over; never raises for the provider or the storage.

        `still_ours` renews the claim; asked only before something stored would be removed.
        """
        with (
            correlated(claimed.correlation_id),
            span(
                "GET Recordings",
                kind=SpanKind.CLIENT,
                parent=claimed.traceparent,
                attributes={
                    "trunkline.recording_id": claimed.recording_id,
                    "trunkline.business_id": claimed.business_id,
                },
            ) as current,
        ):
            try:
                outcome = await self._bring(claimed, still_ours)
            except NoAudio as refusal:
                outcome = refusal.outcome
            except StorageFailed as failure:
                outcome = Outcome("later", reason=f"storage: {failure}")
            current.set_attribute("trunkline.result", outcome.kind)
            return outcome

    async def _bring(self, claimed: Claimed, still_ours: Callable[[], Awaitable[bool]]) -> Outcome:
        if claimed.account != claimed.channel_account:
            return Outcome("later", reason="its channel has moved to another account")
        try:
            secrets = self.sealer.open(claimed.key_id, claimed.sealed, claimed.channel_id)
        except CannotUnseal as error:
            return Outcome("misconfigured", reason=str(error))
        order = AudioOrder(
            claimed.account,
            secrets.get("auth_token", ""),
            claimed.provider_recording_id,
            claimed.channels,
        )
        key = storage_key(claimed.business_id, claimed.recording_id, claimed.created_at)
        async with self.gateway.fetch(order) as audio:
            failpoint("recordings.answered")
            sums = Sums(audio, limit=self.max_bytes)
            try:
                await self.storage.create(key, sums.passing())
            except AlreadyStored:
                return await self._compare(key, sums.stored(), still_ours)
        failpoint("recordings.stored")
        return Outcome("stored", stored=sums.stored())

    async def _compare(
        self, key: str, fetched: Stored, still_ours: Callable[[], Awaitable[bool]]
    ) -> Outcome:
        """A worker was lost between storing and writing that down; its work counts if it is whole.

        INVARIANT: an object that differs goes only under a claim renewed just now, so no row
        speaks of it or can come to.
        """
        found = hashlib.sha256()
        async for chunk in self.storage.read(key):
            found.update(chunk)
        if found.hexdigest() == fetched.sha256:
            return Outcome("stored", stored=fetched)
        if await still_ours():
            await self.storage.delete(key)
        return Outcome("later", reason="an earlier try had stored something else")
