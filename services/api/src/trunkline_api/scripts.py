"""What runs say, remembered for a while: it never changes once a run is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trunkline_api.accounts import Account
from trunkline_api.remembered import Remembered
from trunkline_api.store import runs
from trunkline_common.db import Database, transaction

REMEMBERED_SECONDS: Final = 300.0
MOST_REMEMBERED: Final = 1_000  # of at most 4,000 characters each


@dataclass(frozen=True, slots=True)
class Script:
    """Words and their language."""

    words: str
    language: str


class Scripts:
    """Providers fetch the same words for each call of a run."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = Remembered[Script](seconds=REMEMBERED_SECONDS, most=MOST_REMEMBERED)

    async def of(self, account: Account, run_id: str) -> Script | None:
        """What a run says; None where the channel has no such run.

        Only a started run has calls, and only calls of ours get here: a draft is never asked for.
        """

        async def read() -> Script | None:
            async with transaction(self._database) as session:
                content = await runs.content_of(
                    session, account.business_id, run_id, account.channel_id
                )
            if content is None or not content.get("script"):
                return None
            return Script(content["script"], content.get("language") or "en-US")

        return await self._known.of(f"{account.channel_id}/{run_id}", read)
