"""One granted message on its way out: when it may leave, what it says, what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.trace import SpanKind

from trunkline_common.sealing import CannotUnseal, Sealer
from trunkline_common.telemetry import correlated, span
from trunkline_messaging.domain.answers import Result
from trunkline_messaging.gateways.whatsapp import MessageGateway, MessageOrder
from trunkline_messaging.store.channels import Channel
from trunkline_messaging.store.messages import Message


@dataclass(frozen=True, slots=True)
class Departure:
    """A message whose request is written down. Times on this process's monotonic clock."""

    message: Message
    channel: Channel
    leaves_at: float
    deadline: float


class Courier:
    """Sends granted messages through the gateway; keeps nothing between them."""

    def __init__(self, gateway: MessageGateway, *, sealer: Sealer) -> None:
        self._gateway = gateway
        self._sealer = sealer

    async def send(self, departure: Departure) -> Result:
        """Send one message when its time comes; never raises for the provider."""
        wait = departure.leaves_at - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        message, channel = departure.message, departure.channel
        try:
            secrets = self._sealer.open(channel.key_id, channel.sealed, channel.channel_id)
        except CannotUnseal as error:
            return Result("misconfigured", code="sealed", reason=str(error))
        order = MessageOrder(
            account=channel.account,
            access_token=secrets.get("access_token", ""),
            to=message.address,
            text=message.body,
            reference=message.attempt_id,
        )
        with (
            correlated(message.correlation_id),
            span(
                "POST messages",
                kind=SpanKind.CLIENT,
                parent=message.traceparent,
                attributes={
                    "trunkline.attempt_id": message.attempt_id,
                    "trunkline.message_id": message.message_id,
                    "trunkline.business_id": message.business_id,
                },
            ) as current,
        ):
            result = await self._gateway.send_text(order, _until(departure.deadline))
            current.set_attribute("trunkline.result", result.kind)
            return result


def _until(deadline: float) -> Callable[[], bool]:
    return lambda: time.monotonic() < deadline
