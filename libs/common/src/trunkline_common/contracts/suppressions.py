"""Whom a business does not want to reach: facts of the api service, as those in `api` are."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trunkline_common.contracts.api import ChannelKind
from trunkline_common.contracts.envelope import Event

SuppressionKind = Literal["address", "prefix", "contact"]


class _Suppression(Event):
    """What both facts say: the last version of (business, kind, value, run, channel) counts."""

    subject_field: ClassVar[str] = "suppression_id"

    suppression_id: str
    kind: SuppressionKind
    value: str = Field(description="E.164, the beginning of such numbers (+4990), or a contact id")
    run_id: str | None = Field(default=None, description="only in this run; else in all of them")
    channel: ChannelKind | None = Field(default=None, description="only there; else on both")
    version: int


class ContactSuppressed(_Suppression):
    """Nobody whom this fits is called or written to by a run any more."""

    name: ClassVar[str] = "contact.suppressed.v1"

    source: str = Field(description="who brought it: api, import, opt_out, ...")
    reason: str | None = None
    evidence: str | None = Field(default=None, description="what a regulator would be shown")


class ContactUnsuppressed(_Suppression):
    """That suppression was lifted; others of the same contact still hold."""

    name: ClassVar[str] = "contact.unsuppressed.v1"
