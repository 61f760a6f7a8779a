"""Calls on the way in: kept where their number is the channel's, put in quarantine where not."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict
from typing import Final

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import contents, errors
from trunkline_api.domain.inbound import faults_of
from trunkline_api.domain.steps import Dialogue
from trunkline_api.store import channels, quarantine
from trunkline_api.store.quarantine import Stray
from trunkline_common.callbacks import callback_token
from trunkline_common.db import Database, transaction

log = logging.getLogger(__name__)

ABOUT: Final = "inbound"

QUARANTINED = Counter(
    "trunkline_inbound_quarantined_total", "Calls to numbers that nobody here has", ["reason"]
)


def inbound_url(public_url: str, secret: str, channel_id: str) -> str:
    """What a business enters at its provider as a number's voice webhook."""
    token = callback_token(secret, channel_id, ABOUT)
    return f"{public_url}/callbacks/twilio/{channel_id}/inbound/{token}"


async def put_aside(database: Database, stray: Stray) -> None:
    """Keep a call that leads to nobody; once, however often its provider tells of it."""
    async with transaction(database) as session:
        new = await quarantine.keep(session, stray)
    if new:
        QUARANTINED.labels(stray.reason).inc()
        log.warning(
            "inbound.quarantined", extra={"channel": stray.channel_id, "reason": stray.reason}
        )


async def speak(
    database: Database, business_id: str, channel_id: str, dialogue: Dialogue | None
) -> None:
    """Say this to callers from now on; None goes back to the polite word."""
    if dialogue is not None:
        faults = faults_of(dialogue)
        if faults:
            raise errors.invalid_places(faults)
    kept = None if dialogue is None else dialogue.model_dump_json(exclude_none=True)
    async with transaction(database) as session:
        if dialogue is not None:
            await _check_files(session, business_id, dialogue)
        if not await channels.speak(session, business_id, channel_id, kept):
            raise errors.not_found("voice channel")


async def _check_files(session: AsyncSession, business_id: str, dialogue: Dialogue) -> None:
    """Every file that callers hear is the business's own."""
    foreign = await contents.foreign_files(session, business_id, dialogue)
    if foreign:
        raise errors.invalid_at([f"#/{place}" for place in foreign], "there is no such file")


def quarantine_arguments(parser: argparse.ArgumentParser) -> None:
    """`quarantine [--limit 100]`."""
    parser.add_argument("--limit", type=int, default=100, help="how many, newest first")


async def show_quarantine(database: Database, limit: int) -> int:
    """Print the newest calls that led to nobody, a JSON object a line; numbers in full."""
    async with transaction(database) as session:
        kept = await quarantine.newest(session, limit=limit)
    sys.stdout.writelines(json.dumps(asdict(one), default=str) + "\n" for one in kept)
    return 0
