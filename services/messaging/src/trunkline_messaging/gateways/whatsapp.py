"""What messaging asks of a provider of WhatsApp messages, whoever that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from trunkline_messaging.domain.answers import Result


@dataclass(frozen=True, slots=True)
class MessageOrder:
    """One text to send. The provider gives `reference` back with all that it says of it."""

    account: str
    access_token: str = field(repr=False)
    to: str = field(repr=False)
    text: str = field(repr=False)
    reference: str = ""


class MessageGateway(Protocol):
    """A provider of messages. It never repeats a request by itself."""

    async def send_text(self, order: MessageOrder, may_send: Callable[[], bool]) -> Result:
        """Send one text; `may_send` is asked once more before the request's last byte leaves.

        Never raises for anything that the provider or the network does: the result says it.
        """
        ...
