"""The nightly audit: an account's calls of a day at its provider against ours, page by page.

The row is the state: each look reads one page, or makes the report, and moves the row's cursor in
the same transaction. Whoever dies in between is followed by the next look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from prometheus_client import Counter

from trunkline_common.db import Database, transaction
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.domain.audits import (
    NOT_TOLD,
    PROVIDER_HAS_NONE,
    is_of_day,
    last_whole_day,
    wait_after,
)
from trunkline_outbound.gateways.twilio_calls import PageRefused, ProviderSilent
from trunkline_outbound.gateways.voice import AccountAccess, CallRegistry
from trunkline_outbound.store import audit_reports
from trunkline_outbound.store import audits as store
from trunkline_outbound.store.audit_reports import Unlisted
from trunkline_outbound.store.audits import Audit, Key

log = logging.getLogger(__name__)

HOLD_SECONDS: Final = 120.0  # longer than the slowest look
DAYS_BACK: Final = 3  # what was missed meanwhile is made up for
MOST_PAGES: Final = 10_000
MOST_TRIES: Final = 30  # in a row: about twelve hours
MOST_ASKED: Final = 200  # calls of ours that the list lacks, asked for one by one
AT_ONCE: Final = 10
SECONDS_TO_ASK: Final = 60.0
NO_ACCESS: Final = "account_not_open"

AUDITS = Counter("trunkline_audits_total", "Audits of a day by their end", ["result"])
DIFFERENCES = Counter(
    "trunkline_audit_differences_total", "Calls that one side alone knows", ["side", "rule"]
)


@dataclass(frozen=True, slots=True)
class Auditor:
    """What asks providers for their lists."""

    database: Database
    registry: CallRegistry
    accounts: Accounts

    async def open_due(self, at: time) -> None:
        """Begin the audits that are due by now: each account's last days, from `at` (UTC) on."""
        newest = last_whole_day(datetime.now(UTC), at)
        days = [newest - timedelta(days=back) for back in range(DAYS_BACK)]
        async with transaction(self.database) as session:
            await store.open_due(session, days)

    async def reopen(self, channel_id: str, day: date) -> Key | None:
        """Audit this day of a channel's account again, from the first page."""
        async with transaction(self.database) as session:
            return await store.reopen(session, channel_id, day)

    async def look(self, only: Key | None = None) -> bool:
        """One page of one audit, or its report; False where none is due now."""
        async with transaction(self.database) as session:
            audit = await store.pick(session, hold=HOLD_SECONDS, only=only)
        if audit is None:
            return False
        access = await self.accounts.access(
            audit.channel_id, business_id=audit.business_id, account=audit.account
        )
        try:
            if access is None:
                await self._later(audit, NO_ACCESS)
            elif audit.read_whole:
                await self._report(audit, access)
            else:
                await self._read(audit, access)
        except ProviderSilent as error:
            log.warning("audit.provider_silent", extra={"error": str(error)})
            await self._later(audit, "provider_silent", afresh=isinstance(error, PageRefused))
        return True

    async def _read(self, audit: Audit, access: AccountAccess) -> None:
        if audit.pages >= MOST_PAGES:
            await self._give_up(audit, "too_many_pages")
            return
        page = await self.registry.of_day(access, audit.day, after=audit.next_page)
        calls = [call for call in page.calls if is_of_day(call.started_at, audit.day)]
        async with transaction(self.database) as session:
            await store.keep_page(session, audit, calls, page.next_page)

    async def _report(self, audit: Audit, access: AccountAccess) -> None:
        async with transaction(self.database) as session:
            unlisted = await audit_reports.unlisted(session, audit, most=MOST_ASKED)
        ours = await self._ask(access, unlisted)
        async with transaction(self.database) as session:
            if not await store.lock_own(session, audit):
                return
            found = await audit_reports.replace(session, audit, ours)
        for (side, rule), count in found.items():
            DIFFERENCES.labels(side, rule).inc(count)
        AUDITS.labels("differs" if found else "agrees").inc()
        _tell(audit, found)

    async def _ask(
        self, access: AccountAccess, unlisted: Sequence[Unlisted]
    ) -> list[tuple[Unlisted, str]]:
        """Which of these the provider does not have, or did not tell of in time."""
        bounded = asyncio.Semaphore(AT_ONCE)
        rules = {call.provider_id: NOT_TOLD for call in unlisted}

        async def one(call: Unlisted) -> None:
            async with bounded:
                try:
                    seen = await self.registry.fetch(access, call.provider_id)
                except ProviderSilent:
                    return
                if seen is None:
                    rules[call.provider_id] = PROVIDER_HAS_NONE
                else:
                    del rules[call.provider_id]

        try:
            async with asyncio.timeout(SECONDS_TO_ASK), asyncio.TaskGroup() as asking:
                for call in unlisted:
                    asking.create_task(one(call))
        except TimeoutError:
            pass  # what is left stays `provider_did_not_say`
        return [(call, rules[call.provider_id]) for call in unlisted if call.provider_id in rules]

    async def _later(self, audit: Audit, reason: str, *, afresh: bool = False) -> None:
        if audit.tries >= MOST_TRIES:
            await self._give_up(audit, reason)
            return
        wait = wait_after(audit.tries)
        async with transaction(self.database) as session:
            await store.try_later(session, audit, reason=reason, wait=wait, afresh=afresh)

    async def _give_up(self, audit: Audit, reason: str) -> None:
        async with transaction(self.database) as session:
            await store.fail(session, audit, reason=reason)
        AUDITS.labels("failed").inc()
        log.error("audit.failed", extra={"channel": audit.channel_id, "day": str(audit.day)})


def _tell(audit: Audit, found: dict[tuple[str, str], int]) -> None:
    about = {"channel": audit.channel_id, "day": str(audit.day)}
    if found:
        counts = {f"{side}.{rule}": count for (side, rule), count in sorted(found.items())}
        log.warning("audit.differs", extra={**about, "differences": str(counts)})
    else:
        log.info("audit.agrees", extra=about)
