"""Where a delivery goes that was not done: a rung of its ladder, or the dead queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from trunkline_common.broker.connect import open_connection
from trunkline_common.broker.envelope import ATTEMPT, REASON, Outgoing, attempt_of, headers_of
from trunkline_common.broker.publisher import open_publisher
from trunkline_common.outcomes import Dead, RetryIn
from trunkline_common.telemetry import redact
from trunkline_common.topology import DEAD_EXCHANGE, Queue

DIED_IN: Final = "x-died-in"
_REASON_LENGTH: Final = 500
_PERSISTENT: Final = 2


def parked(message: DeliveredMessage, queue: Queue, settlement: RetryIn | Dead) -> Outgoing:
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
    return Outgoing(exchange, key, copied(message, headers), message.body, queue.name)


def copied(message: DeliveredMessage, headers: dict[str, Any]) -> Basic.Properties:
    """The properties of a copy. No expiration and no user id: those were the original's own."""
    original = message.header.properties
    return Basic.Properties(
        content_type=original.content_type,
        content_encoding=original.content_encoding,
        delivery_mode=_PERSISTENT,
        message_id=original.message_id,
        message_type=original.message_type,
        correlation_id=original.correlation_id,
        timestamp=original.timestamp,
        app_id=original.app_id,
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
