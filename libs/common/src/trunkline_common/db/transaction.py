"""The one commit of the repository: a block that a reader can see around the work it covers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from trunkline_common.db.commits import current_witness
from trunkline_common.db.engine import Database
from trunkline_common.failpoints import ARMED, failpoint

_WAKES = "trunkline_wakes"
_NAMES = "trunkline_commit_names"


def wake_after_commit(session: AsyncSession, channel: str) -> None:
    """Ask for a hint on this channel once, and only if, the transaction has committed."""
    session.info.setdefault(_WAKES, set()).add(channel)


def name_commit(session: AsyncSession, name: str) -> None:
    """Let a fault test strike just before and just after this commit: it has two failpoints then,
    `<name>.before_commit` and `<name>.after_commit`.
    """
    if ARMED:
        session.info.setdefault(_NAMES, {})[name] = None


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[AsyncSession]:
    """One unit of work: committed when the block ends, rolled back when it raises.

    The hints that the block asked for leave after the commit, from a connection of their own: a
    NOTIFY inside it would take a lock on the whole server to keep commit order.
    """
    async with database.sessions() as session:
        async with session.begin():
            yield session
            witness = current_witness()
            if witness is not None:
                await witness(session)
            names = session.info.pop(_NAMES, ())
            for name in names:
                failpoint(f"{name}.before_commit")
        for name in names:
            failpoint(f"{name}.after_commit")
        wakes: set[str] = session.info.pop(_WAKES, set())
    for channel in wakes:
        database.waker.wake(channel)
