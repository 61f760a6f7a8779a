"""/v1/suppressions: whom no run may call or write to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints, model_validator

from trunkline_api import errors, suppressions
from trunkline_api.domain.suppressions import Entry
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Asked,
    Cursor,
    Limit,
    Page,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import ContactsReader, ContactsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.contracts.suppressions import SuppressionKind
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/suppressions", tags=["suppressions"], route_class=PublicRoute)

MOST: Final = 1000
Value = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Source = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_VALUE_MEANS: Final = "a number, the beginning of numbers (+4990 or +4990*), or a contact's id"


class _Details(Asked):
    run_id: str | None = Field(default=None, description="only in this run; else in every run")
    channel: ChannelKind | None = Field(default=None, description="only there; else on both")
    source: Source = Field(default="api", examples=["api", "import", "opt_out"])
    reason: str | None = Field(default=None, max_length=500)
    evidence: str | None = Field(default=None, max_length=4000)


class EntryAsked(_Details):
    """One to suppress. What it does not name is taken from the list around it."""

    kind: SuppressionKind
    value: Value = Field(description=_VALUE_MEANS)


class SuppressionsAsked(_Details):
    """One, by `kind` and `value`; or many, in `entries`."""

    kind: SuppressionKind | None = None
    value: Value | None = Field(default=None, description=_VALUE_MEANS)
    entries: list[EntryAsked] | None = Field(default=None, min_length=1, max_length=MOST)

    @model_validator(mode="after")
    def _is_one_or_many(self) -> SuppressionsAsked:
        one = (self.kind is not None, self.value is not None)
        if one not in ((True, True), (False, False)) or all(one) == (self.entries is not None):
            message = "give kind and value, or entries"
            raise ValueError(message)
        return self

    def wanted(self) -> list[Entry]:
        """What is to be suppressed, each entry with what all have in common."""
        details = self.model_dump(exclude={"kind", "value", "entries"})
        if self.kind is not None and self.value is not None:
            return [Entry(kind=self.kind, value=self.value, **details)]
        asked = self.entries or []
        return [Entry(**{**details, **one.model_dump(exclude_unset=True)}) for one in asked]


class SuppressionTold(Told):
    """A suppression: who said so and when, and who lifted it if anybody did."""

    id: str
    kind: SuppressionKind
    value: str
    run_id: str | None
    channel: ChannelKind | None
    source: str
    reason: str | None
    evidence: str | None
    suppressed_by: str = Field(description="the key that asked")
    suppressed_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None


class SuppressedTold(Told):
    """What is in force for each entry, in their order; `added` of them are new."""

    added: int
    data: list[SuppressionTold]


_EXISTED: dict[int | str, dict[str, Any]] = {
    200: {"model": SuppressedTold, "description": "All of it was suppressed before"}
}


@router.post("", status_code=201, responses=_EXISTED)
async def suppress(
    asked: SuppressionsAsked, caller: ContactsWriter, parts: ServiceParts, response: Response
) -> SuppressedTold:
    """Suppress one or up to 1,000: all of them, or none where one is wrong.

    It counts for whatever is admitted from then on, retries included. What is in the air ends.
    """
    pointer = "#/{field}" if asked.entries is None else "#/entries/{place}/{field}"
    outcome = await suppressions.suppress(
        parts.database,
        caller,
        asked.wanted(),
        correlation_id=correlation_id(),
        pointer=pointer,
    )
    if not outcome.added:
        response.status_code = 200
    told = [SuppressionTold.model_validate(one) for one in outcome.suppressions]
    return SuppressedTold(added=len(outcome.added), data=told)


@router.get("")
async def list_suppressions(
    caller: ContactsReader,
    parts: ServiceParts,
    kind: SuppressionKind | None = None,
    value: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SuppressionTold]:
    """What is in force, newest first. With `kind`, a `value` is read as in suppressing it."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await suppressions.page(
        parts.database, caller, kind=kind, value=value, before=before, limit=limit + 1
    )
    return page_of(rows, limit, SuppressionTold.model_validate, lambda row: row.id)


@router.get("/{suppression_id}")
async def get_suppression(
    suppression_id: str, caller: ContactsReader, parts: ServiceParts
) -> SuppressionTold:
    """One suppression, also if it was lifted."""
    found = await suppressions.get(parts.database, caller.business_id, suppression_id)
    if found is None:
        raise errors.not_found("suppression")
    return SuppressionTold.model_validate(found)


@router.delete("/{suppression_id}", status_code=204)
async def lift_suppression(
    suppression_id: str, caller: ContactsWriter, parts: ServiceParts
) -> None:
    """Lift it. Another one that fits the same contact still holds; who was skipped stays so."""
    lifted = await suppressions.lift(
        parts.database, caller, suppression_id, correlation_id=correlation_id()
    )
    if not lifted:
        raise errors.not_found("suppression")
