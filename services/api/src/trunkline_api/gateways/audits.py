"""Outbound's audits of a provider account, asked for page by page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from trunkline_api.gateways.outbound import OutboundLog


class Report(BaseModel):
    """The audit of one day."""

    model_config = ConfigDict(frozen=True)

    day: date
    state: str
    ours: int | None
    theirs: int | None
    inbound: int | None
    only_ours: int | None
    only_theirs: int | None
    reason: str | None
    audited_at: datetime | None


class Difference(BaseModel):
    """A call that one side alone knows."""

    model_config = ConfigDict(frozen=True)

    provider_id: str
    side: str
    rule: str
    direction: str
    status: str
    started_at: datetime | None
    attempt_id: str | None
    call_id: str | None


class _Reports(BaseModel):
    data: list[Report]


class _Differences(BaseModel):
    data: list[Difference]


async def reports(
    outbound: OutboundLog, business_id: str, account: str, *, before: date, limit: int
) -> Sequence[Report]:
    """The reports of a business's account, newest first."""
    query = {"limit": str(limit), "before": str(before)}
    page = await outbound.page(_place(business_id, account), query, _Reports)
    return page.data if page else ()


async def differences(
    outbound: OutboundLog, business_id: str, account: str, day: date, *, after: str, limit: int
) -> Sequence[Difference] | None:
    """A day's differences; None where the day was not audited."""
    query = {"limit": str(limit), "after": after}
    page = await outbound.page(f"{_place(business_id, account)}/{day}", query, _Differences)
    return page.data if page else None


def _place(business_id: str, account: str) -> str:
    return f"/internal/v1/businesses/{quote(business_id)}/accounts/{quote(account)}/audits"
