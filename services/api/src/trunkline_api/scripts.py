"""What runs say, remembered for a while: it never changes once a run is started."""

from __future__ import annotations

from typing import Final

from trunkline_api import contents
from trunkline_api.accounts import Account
from trunkline_api.domain.steps import Dialogue
from trunkline_api.remembered import Remembered
from trunkline_api.store import runs
from trunkline_common.db import Database, transaction

REMEMBERED_SECONDS: Final = 300.0
MOST_REMEMBERED: Final = 300  # of at most 16,000 characters each


class Scripts:
    """Providers fetch the same words for each call of a run."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = Remembered[Dialogue](seconds=REMEMBERED_SECONDS, most=MOST_REMEMBERED)

    async def of(self, account: Account, run_id: str) -> Dialogue | None:
        """What a run says; None where the channel has no such run.

        Only a started run has calls, and only calls of ours get here: a draft is never asked for.
        """

        async def read() -> Dialogue | None:
            async with transaction(self._database) as session:
                kept = await runs.content_of(
                    session, account.business_id, run_id, account.channel_id
                )
            dialogue = contents.read(kept) if kept else None
            return dialogue if dialogue is not None and dialogue.story else None

        return await self._known.of(f"{account.channel_id}/{run_id}", read)
