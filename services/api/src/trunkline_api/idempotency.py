"""A request that is repeated with its key is carried out once, whatever crashed in between.

INVARIANT: the key is marked in the transaction of the effect, under a token. So a repetition knows
whether its request was committed, and one that lost its key to a repetition cannot commit any more.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_api import errors
from trunkline_api.store import idempotency as store
from trunkline_api.store.idempotency import Known, Name
from trunkline_common.db import Database, transaction
from trunkline_common.sealing import CannotUnseal, Sealer

LOCK_SECONDS: Final = 60.0  # a request that died is repeated after this, if nothing was committed
KEEP_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was given."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Claim:
    """A key that is ours for one request."""

    name: Name
    token: str
    committed: bool = False

    async def witness(self, session: AsyncSession) -> None:
        """Say in a transaction of the request that it was; refuse it if the key is another's."""
        wrote, ours = await store.mark(session, self.name, self.token)
        if wrote and not ours:
            raise errors.idempotency_in_progress()
        self.committed = self.committed or wrote


async def claim(database: Database, sealer: Sealer, name: Name, digest: str) -> Claim | Answer:
    """The key, to carry the request out; or the answer that it was given before.

    Raises a problem where the key belongs to another request, or to this one and no answer is
    known of it.
    """
    token = secrets.token_hex(8)
    async with transaction(database) as session:
        ours = await store.claim(
            session,
            name,
            digest,
            token,
            lock_seconds=LOCK_SECONDS,
            keep_seconds=KEEP_SECONDS,
        )
        found = None if ours else await store.known(session, name)
    if ours:
        return Claim(name, token)
    if found is None:  # released between the two statements
        raise errors.idempotency_in_progress()
    return _answer(found, sealer, name, digest)


def _answer(found: Known, sealer: Sealer, name: Name, digest: str) -> Answer:
    if found.request_sha256 != digest:
        raise errors.idempotency_reused()
    if found.status is not None and found.key_id and found.sealed:
        try:
            kept = sealer.open(found.key_id, found.sealed, _context(name))
        except CannotUnseal:  # its sealing key was taken out since
            raise errors.idempotency_answer_lost() from None
        return Answer(found.status, kept.pop("body"), kept)
    if found.committed and not found.locked:
        raise errors.idempotency_answer_lost()
    raise errors.idempotency_in_progress()


async def keep(database: Database, sealer: Sealer, held: Claim, answer: Answer) -> None:
    """Keep the answer, for whoever asks again within a day."""
    plain = {**answer.headers, "body": answer.body}
    key_id, sealed = sealer.seal(plain, _context(held.name))
    async with transaction(database) as session:
        await store.keep_answer(
            session, held.name, held.token, status=answer.status, key_id=key_id, sealed=sealed
        )


async def give_up(database: Database, held: Claim) -> None:
    """No answer came: the key is free again, unless something was committed under it."""
    async with transaction(database) as session:
        await store.release(session, held.name, held.token)
        await store.unlock(session, held.name, held.token)


async def prune(database: Database) -> bool:
    """Forget keys past their time, a batch at a time; whether any went."""
    async with transaction(database) as session:
        return await store.prune(session) > 0


def _context(name: Name) -> str:
    return f"idempotency/{name.business_id}/{name.key}"
