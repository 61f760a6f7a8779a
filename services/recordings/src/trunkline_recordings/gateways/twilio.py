"""Twilio's recording media, 2010-04-01: one GET, streamed; one redirect, never with secrets.

What may pass within seconds is waited for here, because a GET may be repeated: a connection that
fails, a 5xx, a 429 that asks for little. Anything longer is the recording's row and its `due_at`.

https://www.twilio.com/docs/voice/api/recording#fetch-a-recording-media-file
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_before_delay,
    wait_random_exponential,
)

from trunkline_recordings.domain.outcomes import Outcome
from trunkline_recordings.gateways.audio import Audio, AudioOrder, NoAudio

PATIENCE_SECONDS: Final = 6.0  # for all repetitions together; far below a lease
ACCOUNT_SID: Final = re.compile(r"AC[0-9a-fA-F]{32}")
RECORDING_SID: Final = re.compile(r"RE[0-9a-fA-F]{32}")
_CHUNK: Final = 256 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Compressed, the announced length would not be the length of what we store.
_HEADERS: Final = {"Accept": "audio/*", "Accept-Encoding": "identity"}


_jitter = wait_random_exponential(multiplier=0.25, max=2.0)


class _Passing(NoAudio):
    """An answer that may be another one in a second."""


def _wait(state: RetryCallState) -> float:
    """What the provider asks for, or longer: replicas must not march."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.outcome.retry_after if isinstance(error, _Passing) else None
    return max(asked or 0.0, float(_jitter(state)))


class TwilioGateway:
    """Fetches on behalf of any business's account; holds no credentials of its own."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        *,
        media_hosts: Collection[str] = (),
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._media_hosts = frozenset(host.lower() for host in media_hosts)
        self._patience = patience

    @asynccontextmanager
    async def fetch(self, order: AudioOrder) -> AsyncIterator[Audio]:
        """See `AudioGateway.fetch`."""
        url = self._url(order)
        login = aiohttp.encode_basic_auth(order.account, order.auth_token)
        try:
            async with await self._get(url, {**_HEADERS, "Authorization": login}) as first:
                if first.status not in _REDIRECTS:
                    yield _audio(first)
                    return
                target = self._allowed(url, first.headers.get("Location", ""))
            # INVARIANT: another host never sees the credentials, nor may it redirect again.
            async with await self._get(target, _HEADERS) as second:
                yield _audio(second)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _later(f"{type(error).__name__} at the provider") from error

    async def _get(self, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """The answer's beginning; what came of it before is repeated while patience lasts."""

        async def once() -> aiohttp.ClientResponse:
            answer = await self._session.get(url, headers=headers, allow_redirects=False)
            if answer.status == 429 or answer.status >= 500:
                answer.release()
                raise _Passing(classify(answer.status, answer.headers.get("Retry-After", "")))
            return answer

        repeating = AsyncRetrying(
            retry=retry_if_exception(self._may_pass),
            stop=stop_before_delay(self._patience),
            wait=_wait,
            reraise=True,
        )
        return await repeating(once)

    def _may_pass(self, error: BaseException) -> bool:
        if isinstance(error, _Passing):
            return (error.outcome.retry_after or 0.0) < self._patience
        return isinstance(error, aiohttp.ClientConnectionError)

    def _url(self, order: AudioOrder) -> str:
        if not ACCOUNT_SID.fullmatch(order.account):
            raise NoAudio(Outcome("failed", reason="not a Twilio account SID"))
        if not RECORDING_SID.fullmatch(order.provider_recording_id):
            raise NoAudio(Outcome("failed", reason="not a Twilio recording SID"))
        # Asked for two channels of a recording that has one, Twilio refuses.
        query = "?RequestedChannels=2" if order.channels == 2 else ""
        return (
            f"{self._base_url}/2010-04-01/Accounts/{order.account}"
            f"/Recordings/{order.provider_recording_id}.wav{query}"
        )

    def _allowed(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        parts = urlsplit(target)
        if (parts.hostname or "").lower() not in self._media_hosts:
            raise _later("redirected to a host that is not allowed")
        if parts.scheme != "https" and parts.scheme != urlsplit(self._base_url).scheme:
            raise _later("redirected away from https")
        return target


def _audio(answer: aiohttp.ClientResponse) -> Audio:
    if answer.status != 200:
        raise NoAudio(classify(answer.status, answer.headers.get("Retry-After", "")))
    content_type = answer.content_type.lower()
    if not content_type.startswith("audio/"):
        raise _later(f"{content_type} instead of audio")
    return Audio(content_type, answer.content_length, answer.content.iter_chunked(_CHUNK))


def classify(status: int, retry_after: str) -> Outcome:
    """What an answer without audio means."""
    if status in (401, 403):
        return Outcome("misconfigured", reason=f"HTTP {status}: the credentials are refused")
    if status == 410:
        return Outcome("failed", reason="deleted at the provider")
    wait = float(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after) else None
    return Outcome("later", reason=f"HTTP {status}", retry_after=wait)


def _later(reason: str) -> NoAudio:
    return NoAudio(Outcome("later", reason=reason))
