"""Credentials that were opened are remembered, and never longer than they are the channel's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from trunkline_common.contracts.api import RunContent, RunPolicy
from trunkline_common.ids import ATTEMPT, BUSINESS, CALL, CHANNEL, RUN, new_id
from trunkline_common.sealing import CannotUnseal, Sealer
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.gateways.voice import CallOrder
from trunkline_outbound.sending import CallSender, Departure
from trunkline_outbound.store.attempts import NewAttempt
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.runs import Run

SEALER = Sealer({"k1": b"k" * 32}, "k1")
BUSINESS_ID, CHANNEL_ID = new_id(BUSINESS), new_id(CHANNEL)
RUNNING = Run(
    new_id(RUN),
    BUSINESS_ID,
    "voice",
    CHANNEL_ID,
    RunContent(script="hello"),
    RunPolicy(),
    "running",
    "corr-1",
    None,
    None,
    0,
)


@dataclass
class Keyring(Sealer):
    """Opens what SEALER sealed once it has the key; counts how often it was asked."""

    has_key: bool = True
    asked: int = field(default=0)

    def open(self, key_id: str, sealed: str, context: str) -> dict[str, str]:
        self.asked += 1
        if not self.has_key:
            raise CannotUnseal("not yet")
        return SEALER.open(key_id, sealed, context)


@dataclass
class Gateway:
    """Accepts every call, and remembers by which token."""

    tokens: list[str] = field(default_factory=list)

    async def place_call(self, order: CallOrder, may_send: Callable[[], bool]) -> Result:
        assert may_send()
        self.tokens.append(order.auth_token)
        return Result("accepted", provider_id="CA1")


def sealed_with(token: str, *, version: int) -> Channel:
    key_id, sealed = SEALER.seal({"auth_token": token}, CHANNEL_ID)
    return Channel(
        CHANNEL_ID,
        BUSINESS_ID,
        "voice",
        version,
        "AC" + "0" * 32,
        ("+15005550006",),
        key_id,
        sealed,
        1.0,
        1,
        True,
    )


async def send(sender: CallSender, channel: Channel) -> Result:
    attempt = NewAttempt(
        new_id(ATTEMPT), new_id(CALL), 1, "con_1", channel.senders[0], "+12025550123", None
    )
    now = time.monotonic()
    return await sender.send(Departure(attempt, RUNNING, channel, now, now + 60), lambda: True)


def sender_with(keyring: Keyring) -> tuple[CallSender, Gateway]:
    gateway = Gateway()
    sender = CallSender(
        gateway, sealer=keyring, callback_base="http://api.test", callback_secret="secret"
    )
    return sender, gateway


async def test_a_seal_is_opened_once_and_a_changed_channel_counts_at_once() -> None:
    sender, gateway = sender_with(keyring := Keyring())
    first, second = sealed_with("old", version=1), sealed_with("new", version=2)
    for channel in (first, first, first, second, second):
        assert (await send(sender, channel)).kind == "accepted"
    assert gateway.tokens == ["old", "old", "old", "new", "new"]
    assert keyring.asked == 2


async def test_another_channel_does_not_open_what_was_sealed_for_this_one() -> None:
    sender, gateway = sender_with(Keyring())
    channel = sealed_with("secret", version=1)
    assert (await send(sender, channel)).kind == "accepted"
    stolen = replace(channel, channel_id=new_id(CHANNEL))
    assert (await send(sender, stolen)).kind == "misconfigured"
    assert gateway.tokens == ["secret"]


async def test_what_could_not_be_opened_is_tried_again() -> None:
    sender, gateway = sender_with(keyring := Keyring(has_key=False))
    channel = sealed_with("secret", version=1)
    for _ in range(2):
        assert (await send(sender, channel)).reason == "credentials_unreadable"
    keyring.has_key = True
    assert (await send(sender, channel)).kind == "accepted"
    assert gateway.tokens == ["secret"]
    assert keyring.asked == 3
