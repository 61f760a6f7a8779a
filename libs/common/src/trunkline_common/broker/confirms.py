"""Many messages in one write, and what the broker says of each.

Beneath the driver's own `basic_publish`, which takes a task, a lock and two futures a message:
more than all else that the relay does. The numbers and the table of who waits for which are the
driver's, so its own publishes may come between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import aiormq
from aiormq.abc import ChannelFrame
from aiormq.exceptions import PublishError

from trunkline_common.broker.connect import BrokerLost
from trunkline_common.broker.envelope import Outgoing
from trunkline_common.broker.frames import publish_frames
from trunkline_common.ids import new_event_id
from trunkline_common.outcomes import TrunklineError

WRITE: Final = 256 * 1024  # bytes of one write: a heartbeat comes between two


class NotTaken(TrunklineError):
    """The broker is there and did not take the message: no route, or the queue is full."""

    def __init__(self, why: str, said: Literal["returned", "nacked"]) -> None:
        super().__init__(why)
        self.said = said


class _Confirmation:
    """Stands where the driver has a future: told once what became of its message."""

    __slots__ = ("_all", "_at")

    def __init__(self, all_of_them: Confirmations, at: int) -> None:
        self._all = all_of_them
        self._at = at

    def done(self) -> bool:
        return self._all.is_told(self._at)

    def cancelled(self) -> bool:
        return False

    def set_result(self, _frame: object) -> None:
        self._all.tell(self._at, None)

    def set_exception(self, error: Exception) -> None:
        self._all.tell(self._at, error)


class Confirmations:
    """One batch on its way. `results` has what became of each, in the order of the messages."""

    def __init__(self, messages: Sequence[Outgoing]) -> None:
        self._messages = messages
        self._names = [
            message.message.properties.message_id or new_event_id() for message in messages
        ]
        self._open = set(range(len(messages)))
        self._over = asyncio.get_running_loop().create_future()
        unknown = BrokerLost("neither confirmed nor refused")
        self.results: list[NotTaken | BrokerLost | None] = [unknown] * len(messages)

    async def settle(self, channel: aiormq.Channel) -> None:
        """Write all of them, and return when each is told; `BrokerLost` if the channel closes.

        Cut off, or closed, the rest is unknown, and the channel may not be used again.
        """
        closing = channel.closing
        try:
            async with channel.lock:
                for payload in self._payloads(channel):
                    written = channel.loop.create_future()
                    await channel.write_queue.put(ChannelFrame(payload, False, written))
                    await asyncio.wait({written, closing}, return_when=asyncio.FIRST_COMPLETED)
            if self._open:
                await asyncio.wait({self._over, closing}, return_when=asyncio.FIRST_COMPLETED)
            if self._open:
                raise BrokerLost("the channel was closed")
        finally:
            closing.cancel()
            for name in self._names:
                channel.message_id_delivery_tag.pop(name, None)

    def give_up(self, error: BrokerLost) -> None:
        """Nobody will be told any more: so much is known of the rest."""
        for at in self._open:
            self.results[at] = error

    def is_told(self, at: int) -> bool:
        """Whether the broker said what became of this one."""
        return at not in self._open

    def tell(self, at: int, error: Exception | None) -> None:
        """What the broker said."""
        self._open.discard(at)
        self.results[at] = _refusal(self._messages[at], error) if error else None
        if not self._open and not self._over.done():
            self._over.set_result(None)

    def _payloads(self, channel: aiormq.Channel) -> Iterator[bytes]:
        """The frames of all, in writes of some size; each message has its number when written."""
        pieces: list[bytes] = []
        size = 0
        for at, message in enumerate(self._messages):
            frames = _frames(channel, message, self._names[at])
            channel.delivery_tag += 1
            waits: Any = _Confirmation(self, at)
            channel.confirmations[channel.delivery_tag] = waits
            channel.message_id_delivery_tag[self._names[at]] = channel.delivery_tag
            pieces.append(frames)
            size += len(frames)
            if size >= WRITE:
                yield b"".join(pieces)
                pieces, size = [], 0
        if pieces:
            yield b"".join(pieces)


def _frames(channel: aiormq.Channel, message: Outgoing, name: str) -> bytes:
    properties = message.message.properties
    properties.message_id = name  # without one the broker's return could not be told from others
    return publish_frames(
        channel.number,
        message.exchange,
        message.routing_key,
        properties,
        message.message.body,
        frame_max=channel.connection.connection_tune.frame_max,
    )


def _refusal(message: Outgoing, error: Exception) -> NotTaken:
    if isinstance(error, PublishError):
        return NotTaken(f"no queue for {message.routing_key}", "returned")
    return NotTaken(f"refused by the broker: a queue of {message.name} is full", "nacked")
