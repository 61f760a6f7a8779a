"""Where a delivery goes that was not done: a rung of its ladder, or the dead queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aio_pika import DeliveryMode, Message

from trunkline_common.broker.arrivals import Arrived
from trunkline_common.broker.connect import open_connection
from trunkline_common.broker.envelope import ATTEMPT, REASON, Outgoing, attempt_of, headers_of
from trunkline_common.broker.publisher import open_publisher
from trunkline_common.outcomes import Dead, RetryIn
from trunkline_common.telemetry import redact
from trunkline_common.topology import DEAD_EXCHANGE, Queue

DIED_IN: Final = "x-died-in"
_REASON_LENGTH: Final = 500


def parked(message: Arrived, queue: Queue, settlement: RetryIn | Dead) -> Outgoing:
    """The copy that takes a delivery's place elsewhere; attributes and body are the same."""
    headers: dict[str, Any] = {
        name: value
        for name, value in headers_of(message).items()
        if name.startswith("ce-") or name == "traceparent"
    }
    attempt = attempt_of(message)
    headers[REASON] = redact(settlement.reason)[:_REASON_LENGTH]
    if isinstance(settlement, RetryIn):
        headers[ATTEMPT] = attempt + 1
        exchange, key = "", queue.retry_queue(settlement.seconds)
    else:
        headers[ATTEMPT] = attempt
        headers[DIED_IN] = queue.name
        exchange, key = DEAD_EXCHANGE, queue.dead_queue
    return Outgoing(exchange, key, copied(message, headers), queue.name)


def copied(message: Arrived, headers: dict[str, Any]) -> Message:
    """The copy itself. No expiration and no user id: those were the original's own."""
    return Message(
        message.body,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=message.message_id,
        type=message.type,
        correlation_id=message.correlation_id,
        timestamp=message.timestamp,
        app_id=message.app_id,
        headers=headers,
    )


@asynccontextmanager
async def open_parking(url: str) -> AsyncIterator[Callable[[Outgoing], Awaitable[None]]]:
    """What puts copies elsewhere, confirmed, for a person who replays dead letters."""
    async with (
        open_connection(url, "trunkline:replay") as connection,
        open_publisher(connection) as publisher,
    ):
        yield publisher.publish
