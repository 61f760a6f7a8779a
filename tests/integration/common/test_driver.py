"""Statements below SQLAlchemy: of the same transaction, and with errors that are understood."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from trunkline_common.db import Database, transaction
from trunkline_common.db.driver import copy_into, fetch
from trunkline_common.db.faults import is_away, is_contention

_ENTER = text("INSERT INTO inbox (consumer, event_id) VALUES (:consumer, :event_id)")
_SHOW = text("SELECT event_id FROM inbox WHERE consumer = :consumer ORDER BY 1")
_TWICE = text(
    "SELECT concat(CAST(:a AS text), CAST(:b AS text), :a), '12:30'::time, (ARRAY[1, 2, 3])[2:3]"
)
_LOCK = text("SELECT pg_advisory_xact_lock(CAST(:key AS bigint))")
_BACKEND = text("SELECT pg_backend_pid()")


class Undone(Exception):
    """Raised to roll back."""


async def entered(database: Database, consumer: str) -> list[str]:
    async with transaction(database) as session:
        return [row[0] for row in await fetch(session, _SHOW, {"consumer": consumer})]


@pytest.mark.parametrize("mixed", [False, True], ids=["alone", "beside SQLAlchemy"])
async def test_the_first_statement_and_the_next_are_of_one_transaction(
    database: Database, mixed: bool
) -> None:
    async def enter(*, fails: bool) -> None:
        async with transaction(database) as session:
            for number in range(3):
                parameters = {"consumer": "driver", "event_id": f"event {number}"}
                if mixed and number == 1:
                    await session.execute(_ENTER, parameters)
                else:
                    assert list(await fetch(session, _ENTER, parameters)) == []
            if fails:
                raise Undone

    with pytest.raises(Undone):
        await enter(fails=True)
    assert await entered(database, "driver") == []
    await enter(fails=False)
    assert await entered(database, "driver") == ["event 0", "event 1", "event 2"]


@pytest.mark.parametrize("first", [False, True], ids=["after another", "first"])
async def test_what_is_copied_is_of_the_transaction(database: Database, first: bool) -> None:
    async def copy(*, fails: bool) -> None:
        async with transaction(database) as session:
            if not first:
                await session.execute(_ENTER, {"consumer": "copy", "event_id": "event 0"})
            rows = [("copy", f"event {number}") for number in (1, 2)]
            await copy_into(session, "inbox", ("consumer", "event_id"), rows)
            if fails:
                raise Undone

    with pytest.raises(Undone):
        await copy(fails=True)
    assert await entered(database, "copy") == []
    await copy(fails=False)
    expected = ["event 1", "event 2"] if first else ["event 0", "event 1", "event 2"]
    assert await entered(database, "copy") == expected


async def test_a_savepoint_takes_back_a_copy_that_broke_a_key(database: Database) -> None:
    async with transaction(database) as session:
        await session.execute(_ENTER, {"consumer": "copy", "event_id": "event 1"})
        rows = [("copy", f"event {number}") for number in (2, 1)]
        with pytest.raises(asyncpg.UniqueViolationError):
            async with session.begin_nested():
                await copy_into(session, "inbox", ("consumer", "event_id"), rows)
        await copy_into(session, "inbox", ("consumer", "event_id"), [("copy", "event 3")])
    assert await entered(database, "copy") == ["event 1", "event 3"]


async def test_a_name_may_come_twice_and_a_cast_is_no_name(database: Database) -> None:
    async with transaction(database) as session:
        for _ in range(2):  # through SQLAlchemy, and below it
            ((joined, time, part),) = await fetch(session, _TWICE, {"a": "x", "b": "y"})
            assert (joined, str(time), part) == ("xyx", "12:30:00", [2, 3])


async def test_a_deadlock_below_sqlalchemy_is_contention(database: Database) -> None:
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> BaseException | None:
        try:
            async with transaction(database) as session:
                await fetch(session, _LOCK, {"key": first})
                await both.wait()
                await fetch(session, _LOCK, {"key": second})
        except Exception as error:  # noqa: BLE001 - what it is, is the question
            return error
        return None

    async with asyncio.TaskGroup() as group:
        ended = [group.create_task(lock(*keys)) for keys in ((1, 2), (2, 1))]
    (lost,) = [error for task in ended if (error := task.result()) is not None]
    assert is_contention(lost)
    assert not is_away(lost)


async def test_a_connection_that_ends_below_sqlalchemy_is_an_absence(
    database: Database, database_url: str
) -> None:
    server = await asyncpg.connect(database_url)

    async def work() -> None:
        async with transaction(database) as session:
            await fetch(session, _BACKEND, {})
            ((backend,),) = await fetch(session, _BACKEND, {})
            await server.execute("SELECT pg_terminate_backend($1)", backend)
            await fetch(session, _BACKEND, {})

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError)) as ended:
        await work()
    await server.close()
    assert is_away(ended.value)
    assert await entered(database, "driver") == []  # the pool hands out another


async def test_an_argument_that_cannot_be_written_is_no_absence(database: Database) -> None:
    async def work() -> None:
        async with transaction(database) as session:
            await fetch(session, _BACKEND, {})
            await fetch(session, _LOCK, {"key": "no number"})

    with pytest.raises(asyncpg.DataError) as refused:
        await work()
    assert not is_away(refused.value)
