"""Letters in the dead queues, for a person: list them, read them, replay or discard them.

`python -m trunkline_common.broker.dead_letters list|show|replay|discard AMQP_URL [--queue …]`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from trunkline_common.broker.arrivals import Arrived
from trunkline_common.broker.connect import (
    broker_call,
    open_channel,
    open_connection,
)
from trunkline_common.broker.envelope import ATTEMPT, REASON, Outgoing, headers_of
from trunkline_common.broker.parking import DIED_IN, copied, open_parking
from trunkline_common.outcomes import TrunklineError
from trunkline_common.telemetry import redact
from trunkline_common.topology import QUEUES, Queue

LIMIT: Final = 1000
_BODY: Final = 2000


@dataclass(frozen=True, slots=True)
class Letter:
    """What a person needs to know of one dead message. Phone numbers are masked."""

    queue: str
    id: str
    event: str
    business_id: str
    correlation_id: str
    attempt: int
    reason: str
    body: str


def read(message: Arrived, queue: Queue) -> Letter:
    """The letter in a message, as far as it can be read."""
    headers = headers_of(message)
    limited = "x-death" in headers and REASON not in headers
    attempt = headers.get(ATTEMPT, 1)
    return Letter(
        queue=queue.name,
        id=str(headers.get("ce-id") or message.message_id or ""),
        event=str(headers.get("ce-type") or message.type or ""),
        business_id=str(headers.get("ce-businessid", "")),
        correlation_id=str(headers.get("ce-correlationid", "")),
        attempt=attempt if isinstance(attempt, int) else 1,
        reason="delivered too often: it may crash its consumer"
        if limited
        else str(headers.get(REASON, "not said")),
        body=redact(message.body[:_BODY].decode("utf-8", "replace")),
    )


async def _letters(
    channel: AbstractChannel, queue: Queue
) -> AsyncIterator[tuple[AbstractIncomingMessage, Letter]]:
    """Each letter once, unacknowledged: what is not acknowledged stays, in its order."""
    for _ in range(LIMIT):
        async with broker_call():
            dead = await channel.get_queue(queue.dead_queue, ensure=False)
            message = await dead.get(fail=False)
        if message is None:
            return
        yield message, read(message, queue)


async def work(
    url: str, action: str, queues: tuple[Queue, ...], letter_id: str | None = None
) -> list[Letter]:
    """Do it to the letters of these queues, or to one; the letters it was done to."""
    done: list[Letter] = []
    async with (
        open_connection(url, "trunkline:dead_letters") as connection,
        open_parking(url) as park,
    ):
        for queue in queues:
            async with open_channel(connection) as channel:
                async for message, letter in _letters(channel, queue):
                    if letter_id not in {None, letter.id}:
                        continue
                    if action == "replay":
                        await park(_revived(message, queue))
                    if action in {"replay", "discard"}:
                        await message.ack()
                    done.append(letter)
    return done


def _revived(message: Arrived, queue: Queue) -> Outgoing:
    """A copy for the work queue, as if it came for the first time; the inbox still knows it."""
    left = {ATTEMPT, REASON, DIED_IN}
    headers: dict[str, Any] = {
        name: value
        for name, value in headers_of(message).items()
        if name not in left and not name.startswith("x-")
    }
    headers[ATTEMPT] = 1
    return Outgoing("", queue.name, copied(message, headers), queue.name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dead_letters", description=__doc__)
    parser.add_argument("action", choices=("list", "show", "replay", "discard"))
    parser.add_argument("url", help="amqp://…")
    parser.add_argument("--queue", choices=[queue.name for queue in QUEUES], help="default: all")
    parser.add_argument("--id", help="only this letter")
    parser.add_argument("--all", action="store_true", help="replay or discard without --id")
    return parser


def main(argv: list[str]) -> int:
    """The command."""
    options = _parser().parse_args(argv)
    changes = options.action in {"replay", "discard"}
    if changes and not (options.id or options.all):
        sys.stderr.write(f"dead_letters: {options.action} needs --id, or --all\n")
        return 2
    queues = tuple(queue for queue in QUEUES if options.queue in {None, queue.name})
    try:
        letters = asyncio.run(work(options.url, options.action, queues, options.id))
    except TrunklineError as error:
        sys.stderr.write(f"dead_letters: {error}\n")
        return 1
    for letter in letters:
        if options.action == "show":
            sys.stdout.write(json.dumps(asdict(letter), ensure_ascii=False, indent=2) + "\n")
        else:
            line = (letter.queue, letter.id, letter.event, f"x{letter.attempt}", letter.reason)
            sys.stdout.write("  ".join(line) + "\n")
    verb = {"replay": "replayed", "discard": "discarded"}.get(options.action, "dead")
    sys.stdout.write(f"{len(letters)} {verb}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
