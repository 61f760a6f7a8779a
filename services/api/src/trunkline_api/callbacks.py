"""What a provider says, verified, kept word for word and passed on, in one transaction."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from twilio.request_validator import RequestValidator

from trunkline_api.accounts import Account
from trunkline_api.domain.provider_facts import Heard
from trunkline_api.domain.scopes import same
from trunkline_api.store import provider_events, runs
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact

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


async def hear(
    database: Database,
    account: Account,
    heard: Iterable[Heard],
    *,
    provider: str,
    correlation_id: str,
) -> int:
    """Keep each element once and publish its fact with it; how many were new.

    The provider hears "thank you" only after this has committed; on any error it is told to come
    again, and what was kept before is recognised by its natural key.
    """
    elements = {element.key: element for element in heard}
    if not elements:
        return 0
    async with transaction(database) as session:
        new = await provider_events.keep(
            session,
            list(elements.values()),
            channel_id=account.channel_id,
            business_id=account.business_id,
            provider=provider,
            correlation_id=correlation_id,
        )
        facts = [
            Fact(element.event, account.business_id, correlation_id)
            for key, element in elements.items()
            if key in new and element.event is not None
        ]
        await outbox.add_all(session, facts)
    return len(new)


async def script_of(database: Database, account: Account, run_id: str) -> tuple[str, str] | None:
    """What a run says and in which language; None where the channel has no such run."""
    async with transaction(database) as session:
        content = await runs.content_of(session, account.business_id, run_id, account.channel_id)
    if content is None or not content.get("script"):
        return None
    return content["script"], content.get("language") or "en-US"


async def prune(database: Database, *, days: int) -> bool:
    """Forget raw events of long ago, a batch at a time; whether any went."""
    async with transaction(database) as session:
        return await provider_events.prune(session, days=days) > 0
