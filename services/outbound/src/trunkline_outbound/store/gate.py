"""What an intent begins with, in one statement: its claim locked, and what holds for its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.driver import fetch
from trunkline_outbound.store import channels, claims, runs
from trunkline_outbound.store.channels import Channel
from trunkline_outbound.store.claims import Claim
from trunkline_outbound.store.runs import Terms

# The rest is read as of the statement's begin, and a lock may be waited for after that. Whoever
# makes a claim's intents impossible bumps its token, which is looked at under the lock; what is
# read here besides binds nobody before it has committed. Suppressions do: they are read later.
_ENTER: Final = text(
    f"""
WITH {claims.OWN}, entered AS MATERIALIZED ({claims.ENTERED})
SELECT {runs.TERMS}, room.least, {channels.COLUMNS}
  FROM entered
  JOIN runs ON runs.run_id = :run_id
  LEFT JOIN businesses ON businesses.business_id = runs.business_id
  LEFT JOIN channels ON channels.channel_id = runs.channel_id
                    AND channels.business_id = runs.business_id
 CROSS JOIN LATERAL (
       SELECT min(cap - in_use) AS least FROM limits
        WHERE (kind = 'account' AND id = runs.business_id || '/' || channels.account)
           OR (kind = 'business' AND id = runs.business_id)
           OR (kind = 'run' AND id = runs.run_id)) AS room
"""  # noqa: S608 - pieces of this folder's own
)


@dataclass(frozen=True, slots=True)
class Entered:
    """A claim that is ours and locked; `channel` is None while its run's is unknown.

    `room`: how many more may go, read without a lock; None without any limit. `terms` as they
    stand now: an edit counts at once.
    """

    terms: Terms
    room: int | None
    channel: Channel | None


async def enter(session: AsyncSession, claim: Claim, *, owner: str) -> Entered | None:
    """Lock our claim, if it is still ours. INVARIANT I4: every intent goes through here."""
    parameters = {
        "claim_id": claim.claim_id,
        "token": claim.token,
        "owner": owner,
        "run_id": claim.run_id,
    }
    rows = await fetch(session, _ENTER, parameters)
    if not rows:
        return None
    terms, room, channel = rows[0][:5], rows[0][5], rows[0][6:]
    known = None if channel[0] is None else channels.channel_of(channel)
    if known is not None and known.is_held:
        room = 0
    return Entered(runs.terms_of(terms), None if room is None else int(room), known)
