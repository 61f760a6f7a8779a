"""Who may call us back: channels with their credentials opened, remembered for a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from trunkline_api.remembered import Remembered
from trunkline_api.store import channels
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.db import Database, transaction
from trunkline_common.sealing import Sealer

REMEMBERED_SECONDS: Final = 5.0  # how long a changed credential holds where the hint was lost
MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """A channel as its provider's callbacks need it."""

    channel_id: str
    business_id: str
    kind: ChannelKind
    account: str
    version: int
    senders: frozenset[str]
    inbound: dict[str, Any] | None
    credentials: dict[str, str] = field(repr=False)


class Accounts:
    """Callbacks come by the hundred a second: each must not open the same seal again."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._known = Remembered[Account](seconds=REMEMBERED_SECONDS, most=MOST_REMEMBERED)

    async def of(self, channel_id: str, *, newer_than: Account | None = None) -> Account | None:
        """The account behind a channel; `newer_than` asks past a remembered one that failed."""

        async def read() -> Account | None:
            async with transaction(self._database) as session:
                channel = await channels.called_back(session, channel_id)
            return self._opened(channel) if channel else None

        return await self._known.of(channel_id, read, past=newer_than)

    def forget(self, channel_id: str) -> None:
        """The channel has changed."""
        self._known.forget(channel_id)

    def _opened(self, channel: channels.Channel) -> Account:
        return Account(
            channel_id=channel.id,
            business_id=channel.business_id,
            kind=channel.kind,
            account=channel.account,
            version=channel.version,
            senders=frozenset(channel.senders),
            inbound=channel.inbound,
            credentials=self._sealer.open(channel.key_id, channel.sealed, channel.id),
        )
