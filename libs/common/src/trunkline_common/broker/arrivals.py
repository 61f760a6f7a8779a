"""A message that has come, as the driver has it: aio-pika makes an object as dear as decoding."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from aiormq.abc import DeliveredMessage


class Arrived(Protocol):
    """What is read of a message, whoever made the object: aio-pika's incoming ones are such."""

    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, Any] | None: ...
    @property
    def message_id(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...
    @property
    def correlation_id(self) -> str | None: ...
    @property
    def timestamp(self) -> datetime | None: ...
    @property
    def app_id(self) -> str | None: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def content_encoding(self) -> str | None: ...
    @property
    def delivery_tag(self) -> int | None: ...
    @property
    def redelivered(self) -> bool | None: ...


class Arrival:
    """One delivery of a consumer's channel."""

    __slots__ = ("_delivered", "_said")

    def __init__(self, delivered: DeliveredMessage) -> None:
        self._delivered = delivered
        self._said = delivered.header.properties

    @property
    def body(self) -> bytes:
        return self._delivered.body

    @property
    def headers(self) -> Mapping[str, Any] | None:
        return self._said.headers

    @property
    def message_id(self) -> str | None:
        return self._said.message_id

    @property
    def type(self) -> str | None:
        return self._said.message_type

    @property
    def correlation_id(self) -> str | None:
        return self._said.correlation_id

    @property
    def timestamp(self) -> datetime | None:
        return self._said.timestamp

    @property
    def app_id(self) -> str | None:
        return self._said.app_id

    @property
    def content_type(self) -> str | None:
        return self._said.content_type

    @property
    def content_encoding(self) -> str | None:
        return self._said.content_encoding

    @property
    def delivery_tag(self) -> int | None:
        return self._delivered.delivery_tag

    @property
    def redelivered(self) -> bool | None:
        return self._delivered.redelivered

    async def settle_up_to(self) -> None:
        """Acknowledge this delivery and all before it on its channel."""
        await self._delivered.channel.basic_ack(self.delivery_tag or 0, multiple=True)
