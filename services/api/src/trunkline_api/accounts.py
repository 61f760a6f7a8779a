"""Who may call us back: channels with their credentials opened, remembered for a moment."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from trunkline_api.store import channels
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.db import Database, transaction
from trunkline_common.sealing import Sealer

REMEMBERED_SECONDS: Final = 5.0
MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """A channel as its provider's callbacks need it."""

    channel_id: str
    business_id: str
    kind: ChannelKind
    account: str
    version: int
    credentials: dict[str, str] = field(repr=False)
    read_at: float


class Accounts:
    """Callbacks come by the hundred a second: each must not open the same seal again."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._known: dict[str, Account] = {}

    async def of(self, channel_id: str, *, newer_than: Account | None = None) -> Account | None:
        """The account behind a channel; `newer_than` asks past a remembered one that failed."""
        known = self._known.get(channel_id)
        if known and known is not newer_than and _is_recent(known):
            return known
        async with transaction(self._database) as session:
            channel = await channels.called_back(session, channel_id)
        if channel is None:
            return None
        account = Account(
            channel_id=channel.id,
            business_id=channel.business_id,
            kind=channel.kind,
            account=channel.account,
            version=channel.version,
            credentials=self._sealer.open(channel.key_id, channel.sealed, channel.id),
            read_at=time.monotonic(),
        )
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[channel_id] = account
        return account


def _is_recent(account: Account) -> bool:
    return time.monotonic() < account.read_at + REMEMBERED_SECONDS
