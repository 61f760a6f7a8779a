"""Connections that end, and hints that are for one service only."""

from __future__ import annotations

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from trunkline_common.db.engine import Database, open_database
from trunkline_common.db.faults import is_away
from trunkline_common.db.transaction import transaction
from trunkline_common.db.wake import Flag, Waker, open_waker
from trunkline_common.testing import facts

_BACKEND = text("SELECT pg_backend_pid()")


async def _backend(database: Database) -> int:
    async with transaction(database) as session:
        return int((await session.execute(_BACKEND)).scalar_one())


async def test_a_connection_that_the_server_ended_is_not_handed_out(
    database: Database, database_url: str
) -> None:
    before = await _backend(database)
    assert await _backend(database) == before  # it is kept
    server = await asyncpg.connect(database_url)
    await server.execute("SELECT pg_terminate_backend($1)", before)

    async def gone() -> bool:
        query = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1"
        return bool(await server.fetchval(query, before))

    await facts.eventually(gone)

    async def another() -> bool:
        """The farewell may still be on its way; from when it is heard, no error is seen."""
        try:
            return await _backend(database) != before
        except DBAPIError as error:
            if not is_away(error):
                raise
            return False

    await facts.eventually(another)
    await server.close()


async def _rung(sender: Waker, channel: str, flag: Flag) -> None:
    """Wake until the other end hears it, which it does once it listens."""
    flag.clear()

    async def heard() -> bool:
        sender.wake(channel)
        return await flag.wait(0.1)

    await facts.eventually(heard)
    flag.clear()


async def test_a_hint_reaches_the_own_service_only(database_url: str) -> None:
    async with (
        open_waker(database_url, application="a:1", scope="a") as sender,
        open_waker(database_url, application="a:2", scope="a") as colleague,
        open_waker(database_url, application="b:1", scope="b") as stranger,
        open_waker(database_url, application="b:2", scope="b") as his_colleague,
    ):
        heard, unheard = colleague.flag("work"), stranger.flag("work")
        next_to_last, last = stranger.flag("next to last"), stranger.flag("last")
        await _rung(his_colleague, "work", unheard)
        # What waits to be told goes out together, in no order; a second round comes after it.
        await _rung(his_colleague, "next to last", next_to_last)
        await _rung(his_colleague, "last", last)
        unheard.clear()  # every ring of before has arrived
        await _rung(sender, "work", heard)
        # Notifications arrive in the order of their commits: what came before the last is here.
        await _rung(his_colleague, "last", last)
        assert not await unheard.wait(0)


async def test_the_scope_is_the_role_of_the_url(database_url: str) -> None:
    async with (
        open_database(database_url, application="one") as one,
        open_waker(database_url, application="two", scope="postgres") as two,
    ):
        await _rung(two, "work", one.waker.flag("work"))


async def test_ones_own_hint_is_rung_once(database_url: str) -> None:
    async with (
        open_waker(database_url, application="a:1", scope="a") as sender,
        open_waker(database_url, application="a:2", scope="a") as colleague,
    ):
        own, last, heard = sender.flag("work"), sender.flag("last"), colleague.flag("work")
        await _rung(colleague, "last", last)  # the sender listens
        await _rung(colleague, "work", own)
        await _rung(colleague, "last", last)  # every ring of before has arrived
        await _rung(sender, "work", heard)  # rings its own bell at once
        own.clear()
        await _rung(colleague, "last", last)
        assert not await own.wait(0)
