"""Drafts counted by outbound, piece by piece: it keeps nothing, so a lost answer costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from trunkline_api import errors
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.store.forecasts import Listed
from trunkline_api.store.runs import Run
from trunkline_common.contracts.runs import Forecast


class Counted(BaseModel):
    """The tally with the last piece in it; behind the last piece of all, what it means."""

    tally: dict[str, Any]
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a draft's audience, and what was counted before."""

    run: Run
    tally: dict[str, Any]
    people: Sequence[Listed]
    is_last: bool
    duplicates: int | None = None


@dataclass(frozen=True, slots=True)
class DraftCounter:
    """Counts drafts by asking outbound."""

    outbound: OutboundLog

    async def count(self, piece: Piece) -> Counted:
        """Count one piece. Raises a problem where outbound does not answer."""
        run = piece.run
        place = f"businesses/{quote(run.business_id)}/runs/{quote(run.id)}/forecast"
        body = {
            "channel": run.channel,
            "channel_id": run.channel_id,
            "policy": run.policy,
            "tally": piece.tally,
            "is_last": piece.is_last,
            "duplicates": piece.duplicates,
            "people": [
                {"contact_id": one.contact_id, "address": one.address, "zone": one.zone}
                for one in piece.people
            ],
        }
        answer = await self.outbound.post(place, body)
        try:
            return Counted.model_validate_json(answer)
        except ValidationError:
            raise errors.outbound_away("outbound answered in a form that we do not know") from None
