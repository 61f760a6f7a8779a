"""What a provider says, verified, kept word for word and passed on, in one transaction."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from twilio.request_validator import RequestValidator

from trunkline_api.accounts import Account
from trunkline_api.domain.provider_facts import Heard
from trunkline_api.domain.scopes import same
from trunkline_api.store import provider_events, quarantine
from trunkline_api.store.provider_events import KeptEvent
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.together import Together
from trunkline_common.db.transaction import name_commit
from trunkline_common.telemetry import traceparent

_META_SCHEME: Final = "sha256="


class Repeated(dict[str, str]):
    """A form whose names may repeat, as Twilio's validator reads one."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        listed = list(pairs)
        super().__init__(listed)
        self._all: dict[str, list[str]] = {}
        for name, value in listed:
            self._all.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        """Every value of a name."""
        return self._all.get(name, [])


def is_from_twilio(account: Account, url: str, form: Mapping[str, str], signature: str) -> bool:
    """Whether Twilio signed this form for this URL with the channel's auth token."""
    token = account.credentials.get("auth_token", "")
    return bool(token) and RequestValidator(token).validate(url, form, signature)


def is_from_meta(account: Account, body: bytes, signature: str) -> bool:
    """Whether Meta signed these bytes, as they came, with the app's secret."""
    secret = account.credentials.get("app_secret", "")
    if not secret or not signature.startswith(_META_SCHEME):
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return same(expected, signature.removeprefix(_META_SCHEME).lower())


@dataclass(frozen=True, slots=True)
class Report:
    """One callback that was verified: whose it is, what is in it, and the trace it belongs to."""

    account: Account
    heard: Sequence[Heard]
    provider: str
    correlation_id: str
    traceparent: str | None


class Ear:
    """Keeps callbacks and publishes their facts with them.

    Providers call by the hundred a second, an event each: those that come at once share a commit.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reports: Together[Report] = Together(self._keep)

    async def hear(
        self, account: Account, heard: Iterable[Heard], *, provider: str, correlation_id: str
    ) -> None:
        """Return once everything in this callback is durable, be it new or known.

        The provider hears "thank you" only then; on any error it is told to come again, and what
        was kept before is recognised by its natural key.
        """
        elements = tuple(heard)
        if elements:
            await self._reports.add(
                Report(account, elements, provider, correlation_id, traceparent())
            )

    async def _keep(self, reports: Sequence[Report]) -> None:
        first = {(r.account.channel_id, h.key): (r, h) for r in reversed(reports) for h in r.heard}
        rows = [_row(report, element) for report, element in first.values()]
        async with transaction(self._database) as session:
            name_commit(session, "api.callback")
            new = await provider_events.keep(session, rows)
            await outbox.add_all(
                session, [_fact(*first[key]) for key in new if first[key][1].event is not None]
            )


def _row(report: Report, element: Heard) -> KeptEvent:
    account = report.account
    return KeptEvent(
        account.channel_id, account.business_id, report.provider, report.correlation_id, element
    )


def _fact(report: Report, element: Heard) -> Fact:
    assert element.event is not None  # noqa: S101 - the caller looked
    return Fact(
        element.event,
        report.account.business_id,
        report.correlation_id,
        traceparent=report.traceparent,
    )


async def prune(database: Database, *, days: int) -> bool:
    """Forget raw events of long ago, a batch at a time; whether any went."""
    async with transaction(database) as session:
        await quarantine.prune(session, days=days)
        return await provider_events.prune(session, days=days) > 0
