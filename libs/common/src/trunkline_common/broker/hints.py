"""Hints between the processes of one service over the broker: faster, never needed.

Losing one costs latency; whoever waits for it also looks at the tables on a clock of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from trunkline_common.broker.confirms import NotTaken
from trunkline_common.broker.connect import (
    BrokerLost,
    broker_call,
    open_channel,
    open_connection,
)
from trunkline_common.broker.envelope import Outgoing
from trunkline_common.broker.publisher import PublishLink
from trunkline_common.db.wake import Flag
from trunkline_common.loops import Stop, backoff
from trunkline_common.topology import hints_of

log = logging.getLogger(__name__)

MAX_BYTES: Final = 1024


class Hints:
    """Says and hears short texts among the processes of one service."""

    def __init__(self, broker_url: str, service: str) -> None:
        self._url = broker_url
        self._service = service

    def link(self) -> PublishLink:
        """A connection to say hints on; opened with the first."""
        return PublishLink(self._url, f"trunkline_{self._service}:hints")

    async def publish(self, link: PublishLink, text: str) -> bool:
        """Say it to every process that listens; whether the broker took it. Never raises."""
        said = Message(
            text.encode()[:MAX_BYTES],
            delivery_mode=DeliveryMode.NOT_PERSISTENT,
            content_type="text/plain",
        )
        message = Outgoing(hints_of(self._service), "", said, "hint")
        try:
            await (await link.publisher()).publish(message)
        except (BrokerLost, NotTaken):
            return False
        return True

    async def listen(self, heard: Callable[[str], None], stop: Stop) -> None:
        """Call `heard` with each hint until `stop`; `heard` must return at once."""
        failures = 0
        while not stop.is_set():
            try:
                await self._session(heard, stop)
                failures = 0
            except BrokerLost as error:
                failures += 1
                log.info("hints.lost", extra={"error": str(error)})
                await stop.wait(backoff(failures))

    async def _session(self, heard: Callable[[str], None], stop: Stop) -> None:
        async def on_message(message: AbstractIncomingMessage) -> None:
            heard(message.body.decode("utf-8", "replace"))

        bell, name = Flag(), f"trunkline_{self._service}:hints"
        async with (
            open_connection(self._url, name) as connection,
            open_channel(connection) as channel,
        ):
            channel.close_callbacks.add(lambda *_: bell.ring())
            async with broker_call():
                exchange = await channel.get_exchange(hints_of(self._service), ensure=False)
                queue = await channel.declare_queue(exclusive=True, auto_delete=True)
                await queue.bind(exchange)
                await queue.consume(on_message, no_ack=True)
            while not stop.is_set() and not channel.is_closed:
                bell.clear()
                await stop.wait_or_ring(bell, 30)
        if not stop.is_set():
            raise BrokerLost("the channel was closed")
