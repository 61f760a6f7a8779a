"""Callbacks on their way out, with what was ordered to go wrong with them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from trunkline_sandbox.agenda import Agenda
from trunkline_sandbox.courier import Courier, Letter
from trunkline_sandbox.witness import Witness

SIGNATURES = ("X-Twilio-Signature", "X-Hub-Signature-256")


@dataclass(frozen=True, slots=True)
class Mishaps:
    """What happens to the callbacks of one call or message."""

    lost: bool = False
    copies: int = 1
    shuffle_seconds: float = 0.0
    delay_seconds: float = 0.0
    forged: bool = False


NO_MISHAPS = Mishaps()


class Mailbox:
    """Sends callbacks in the order of their events, unless a mishap was ordered."""

    def __init__(self, agenda: Agenda, courier: Courier, witness: Witness, seed: int) -> None:
        self._agenda = agenda
        self._courier = courier
        self._witness = witness
        self._dice = random.Random(seed)  # noqa: S311 - a seeded die for faults, not a secret

    def post(
        self,
        key: str,
        letter: Letter,
        facts: dict[str, Any],
        *,
        mishaps: Mishaps = NO_MISHAPS,
        sent: Callable[[], None] | None = None,
    ) -> None:
        """Deliver one callback; `sent` is called after each delivery, answered or not."""
        if mishaps.lost:
            self._witness.write("callback_lost", url=letter.url, **facts)
            return
        if mishaps.forged:
            letter = _forged(letter)

        async def deliver() -> None:
            reply = await self._courier.send(letter)
            self._witness.write(
                "callback",
                url=letter.url,
                status=reply.status,
                problem=reply.problem,
                tries=reply.tries,
                **facts,
            )
            if sent is not None:
                sent()

        for copy in range(mishaps.copies):
            delay = mishaps.delay_seconds
            lane = key
            if mishaps.shuffle_seconds:
                delay += self._dice.uniform(0.0, mishaps.shuffle_seconds)
                lane = f"{key}:{self._dice.random()}:{copy}"
            if delay:
                self._agenda.after(delay, partial(self._courier.submit, lane, deliver))
            else:
                self._courier.submit(lane, deliver)


def _forged(letter: Letter) -> Letter:
    headers = {
        name: value[:-6] + "forged" if name in SIGNATURES else value
        for name, value in letter.headers.items()
    }
    return replace(letter, headers=headers)
