"""Businesses' accounts, opened for a moment to ask their providers about calls."""

from __future__ import annotations

import logging

from trunkline_common.db import Database, transaction
from trunkline_common.sealing import CannotUnseal, Sealer
from trunkline_outbound.gateways.voice import AccountAccess
from trunkline_outbound.store import channels

log = logging.getLogger(__name__)


class Accounts:
    """Opens the seal of a channel's credentials; keeps nothing."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def access(
        self, channel_id: str, *, business_id: str, account: str
    ) -> AccountAccess | None:
        """The way into an account, or None while it cannot be had: asked again later."""
        async with transaction(self._database) as session:
            channel = await channels.get_channel(session, channel_id, business_id=business_id)
        if channel is None or channel.account != account:
            log.warning("account.not_open", extra={"channel": channel_id})
            return None
        try:
            secrets = self._sealer.open(channel.key_id, channel.sealed, channel.channel_id)
        except CannotUnseal:
            log.exception("account.sealed", extra={"channel": channel_id})
            return None
        return AccountAccess(account, secrets["auth_token"])
