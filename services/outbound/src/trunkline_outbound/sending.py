"""One admitted call on its way out: when it may leave, what it says, what came of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from trunkline_common.callbacks import callback_token
from trunkline_common.sealing import CannotUnseal, Sealer
from trunkline_common.telemetry import current_span, is_tracing
from trunkline_outbound.domain.classification import Result, classify_silence
from trunkline_outbound.gateways.forms import quoted
from trunkline_outbound.gateways.voice import CallOrder, VoiceGateway
from trunkline_outbound.store.attempts import NewAttempt
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.runs import Run

log = logging.getLogger(__name__)
_propagator = TraceContextTextMapPropagator()

SHORTEST_WAIT: Final = 0.001  # seconds; less is not worth a timer
ACCOUNTS: Final = 1_000  # whose credentials are kept open


@dataclass(frozen=True, slots=True)
class Departure:
    """An attempt whose intent has committed. Times on this process's monotonic clock."""

    attempt: NewAttempt
    run: Run
    channel: Channel
    leaves_at: float
    deadline: float

    async def time(self) -> None:
        """Return when it may leave."""
        wait = self.leaves_at - time.monotonic()
        if wait > SHORTEST_WAIT:
            await asyncio.sleep(wait)


class LastWord:
    """The answer to the question that is asked before the last byte leaves.

    `given` is evidence: until it is, nothing that was raised can have reached the provider.
    """

    def __init__(self, may_send: Callable[[], bool]) -> None:
        self._may_send = may_send
        self.given = False

    def __call__(self) -> bool:
        self.given = self._may_send()
        return self.given


class CallSender:
    """Sends admitted calls through the gateway.

    Credentials that it has opened it remembers by what was sealed: a channel that changes is
    sealed anew, and what could not be opened is tried again.
    """

    def __init__(
        self, gateway: VoiceGateway, *, sealer: Sealer, callback_base: str, callback_secret: str
    ) -> None:
        self._gateway = gateway
        self._open = lru_cache(ACCOUNTS)(sealer.open)
        self._base = callback_base.rstrip("/")
        self._secret = callback_secret

    async def send(self, departure: Departure, may_send: Callable[[], bool]) -> Result:
        """Send one call, whose time has come, if it still may; never raises, the result says it."""
        if not may_send():
            return Result("not_sent", reason="not_sent_in_time")
        last_word = LastWord(may_send)
        try:
            return await self._send(departure, last_word)
        except Exception:  # a defect of ours: in doubt only if the provider may have the request
            log.exception("dispatch.send_failed")
            return classify_silence(released=last_word.given, reason="sender_failed")

    async def _send(self, departure: Departure, may_send: LastWord) -> Result:
        try:
            order = self._order(departure)
        except (CannotUnseal, KeyError) as error:
            fields = {"channel": departure.channel.channel_id, "error": repr(error)}
            log.warning("channel.credentials_unreadable", extra=fields)
            return Result("misconfigured", reason="credentials_unreadable")
        if not is_tracing():
            return await self._gateway.place_call(order, may_send)
        return await self._place_traced(departure, order, may_send)

    async def _place_traced(
        self, departure: Departure, order: CallOrder, may_send: LastWord
    ) -> Result:
        parent = _propagator.extract({"traceparent": departure.attempt.traceparent or ""})
        with current_span(
            "POST Calls",
            context=parent,
            kind=SpanKind.CLIENT,
            attributes={
                "trunkline.attempt_id": departure.attempt.attempt_id,
                "trunkline.call_id": departure.attempt.call_id,
                "trunkline.run_id": departure.run.run_id,
                "trunkline.business_id": departure.run.business_id,
                "trunkline.correlation_id": departure.run.correlation_id,
            },
        ) as span:
            result = await self._gateway.place_call(order, may_send)
            span.set_attribute("trunkline.result", result.kind)
            if result.provider_id is not None:
                span.set_attribute("trunkline.provider_call_id", result.provider_id)
            return result

    def _order(self, departure: Departure) -> CallOrder:
        attempt, run, channel = departure.attempt, departure.run, departure.channel
        secrets = self._open(channel.key_id, channel.sealed, channel.channel_id)
        about = self._callbacks(departure)
        return CallOrder(
            account=channel.account,
            auth_token=secrets["auth_token"],
            from_number=attempt.from_number,
            to_number=attempt.to_number,
            script_url=about("twiml") + self._whom(attempt),
            status_url=about("status"),
            recording_url=about("recording") if run.policy.record else None,
            ring_timeout=run.policy.ring_timeout,
            time_limit=run.policy.time_limit,
            machine_detection=_detection(run),
            detection_timeout=run.policy.detection_timeout,
        )

    def _whom(self, attempt: NewAttempt) -> str:
        """The contact, proved to be this attempt's: api speaks to them by name."""
        proof = callback_token(self._secret, attempt.attempt_id, attempt.contact_id)
        return f"&contact={quoted(attempt.contact_id)}&proof={proof}"

    def _callbacks(self, departure: Departure) -> Callable[[str], str]:
        """URLs that prove which attempt they speak of, and carry its trace to the edge."""
        attempt, run, channel = departure.attempt, departure.run, departure.channel
        token = callback_token(self._secret, channel.channel_id, run.run_id, attempt.attempt_id)
        way = (
            f"{self._base}/callbacks/twilio/{channel.channel_id}/{run.run_id}/"
            f"{attempt.attempt_id}/{token}"
        )
        carried = f"cid={quoted(run.correlation_id)}&tp={quoted(attempt.traceparent or '')}"
        return lambda about: f"{way}/{about}?{carried}"


def _detection(run: Run) -> str | None:
    """Whether the provider finds out who answers: a message waits for the machine's beep."""
    if run.content.leaves_voicemail:
        return "DetectMessageEnd"
    return "Enable" if run.policy.detect_machines else None
