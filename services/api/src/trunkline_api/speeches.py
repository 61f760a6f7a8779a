"""Who is called, what the call says to them, and where the provider asks on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from trunkline_api.accounts import Account
from trunkline_api.domain.personal import known_values
from trunkline_api.domain.speech import Speaker, values_of
from trunkline_api.domain.steps import Dialogue
from trunkline_api.parts import Parts
from trunkline_api.store import contacts
from trunkline_common.callbacks import verify
from trunkline_common.db import Database, transaction

CARRIED: Final = ("cid", "tp", "contact", "proof")


@dataclass(frozen=True, slots=True)
class CallLinks:
    """Addresses below the one that was called: `base` has our token, `query` says who and why.

    `file` is where a file of the business is.
    """

    base: str
    query: Mapping[str, str]
    file: Callable[[str], str]

    def digits(self, step: int, turn: int) -> str:
        """See `speech.Links`."""
        return self._link("digits", {"step": str(step), "turn": str(turn)})

    def dialled(self, step: int, digits: str) -> str:
        """See `speech.Links`."""
        return self._link("dialled", {"step": str(step), "keys": digits})

    def leg(self) -> str:
        """See `speech.Links`."""
        return self._link("leg", {})

    def media(self, media_id: str) -> str:
        """See `speech.Links`."""
        return self.file(media_id)

    def _link(self, about: str, more: Mapping[str, str]) -> str:
        carried = {name: self.query[name] for name in CARRIED if name in self.query}
        return f"{self.base}/{about}?{urlencode({**carried, **more})}"


@dataclass(frozen=True, slots=True)
class Called:
    """A call that was proved to be ours: to whom it says what, and who shows up as its caller."""

    account: Account
    run_id: str
    attempt_id: str
    contact_id: str | None
    caller_id: str
    links: CallLinks


def proved_contact(secret: str, attempt_id: str, query: Mapping[str, str]) -> str | None:
    """Whom outbound said that this attempt calls; None where it did not say."""
    contact_id = query.get("contact", "")
    proved = verify(secret, query.get("proof", ""), attempt_id, contact_id)
    return contact_id if contact_id and proved else None


async def speaker(parts: Parts, called: Called) -> Speaker | None:
    """Who speaks to this contact; None where the channel has no such run."""
    dialogue = await parts.scripts.of(called.account, called.run_id)
    if dialogue is None:
        return None
    values = await _values(parts.database, called, dialogue)
    return Speaker(dialogue, called.links, values, called.caller_id)


async def _values(database: Database, called: Called, dialogue: Dialogue) -> dict[str, str]:
    known: dict[str, str] = {}
    if dialogue.variables and called.contact_id is not None:
        async with transaction(database) as session:
            contact = await contacts.get(session, called.account.business_id, called.contact_id)
        known = known_values(contact) if contact is not None else {}
    return values_of(dialogue, known)
