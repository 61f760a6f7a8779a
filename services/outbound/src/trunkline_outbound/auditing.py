"""When accounts are audited: every night by the schedule, and whenever an operator asks."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from trunkline_common.db import transaction
from trunkline_common.loops import Stop, work_loop
from trunkline_outbound.audits import Auditor
from trunkline_outbound.store import audit_reports
from trunkline_outbound.store.audits import Key

IDLE_SECONDS: Final = 30.0
AGAIN_SECONDS: Final = 1.0
_MOST_SHOWN: Final = 1_000


async def audit_nightly(auditor: Auditor, at: time, stop: Stop) -> None:
    """Audit what is due from `at` (UTC) on, a page at a time, until stopped."""

    async def look() -> bool:
        if await auditor.look():
            return True
        await auditor.open_due(at)
        return False

    await work_loop("audits", look, stop=stop, idle=IDLE_SECONDS)


def audit_arguments(parser: argparse.ArgumentParser) -> None:
    """`audit chn_… [--day 2026-11-23]`."""
    parser.add_argument("channel", help="the id of a voice channel; its account is audited")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    parser.add_argument(
        "--day", type=date.fromisoformat, default=yesterday, help="UTC; without it yesterday"
    )


async def audit_now(auditor: Auditor, options: argparse.Namespace, stop: Stop) -> int:
    """Audit one day again and print the report, a JSON object a line; 1 where the sides differ."""
    key = await auditor.reopen(options.channel, options.day)
    if key is None:
        sys.stderr.write(f"there is no voice channel {options.channel}\n")
        return 2
    while not await _is_made(auditor, key):
        if not await auditor.look(key) and await stop.wait(AGAIN_SECONDS):
            return 2
    async with transaction(auditor.database) as session:
        report = await audit_reports.get(session, key)
        lines = await audit_reports.differences(session, key, after="", limit=_MOST_SHOWN)
    if report is None:
        return 2
    told = [asdict(report), *(asdict(line) for line in lines)]
    sys.stdout.writelines(json.dumps(each, default=str) + "\n" for each in told)
    if report.state != "done":
        return 2
    return 1 if lines else 0


async def _is_made(auditor: Auditor, key: Key) -> bool:
    async with transaction(auditor.database) as session:
        report = await audit_reports.get(session, key)
    return report is None or report.state != "reading"
