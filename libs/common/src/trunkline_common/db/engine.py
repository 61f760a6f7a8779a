"""The engine of one process: a deadline on every wait, and a waker for whoever waits on rows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from trunkline_common.db.wake import Waker, open_waker

CONNECT_SECONDS = 5
COMMAND_SECONDS = 30  # the client's own deadline: a dead peer cannot hold a worker for longer
STATEMENT_MS = 25_000
LOCK_MS = 10_000
IDLE_IN_TRANSACTION_MS = 30_000

_KEEPALIVES = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_ASYNCPG = "postgresql+asyncpg"


@dataclass(frozen=True, slots=True)
class Database:
    """One service's database: sessions to read and write with, and hints for its loops."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    waker: Waker


def plain_url(url: str) -> str:
    """The URL as asyncpg itself takes it."""
    return re.sub(r"^postgres(ql)?(\+asyncpg)?://", "postgresql://", url)


@asynccontextmanager
async def open_database(
    url: str,
    *,
    application: str,
    pool_size: int = 8,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Database]:
    """Open the pool; `application` is what pg_stat_activity shows. Nothing is connected yet."""
    server_settings = {
        "application_name": application,
        "timezone": "UTC",
        "statement_timeout": str(STATEMENT_MS),
        "lock_timeout": str(LOCK_MS),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
        **_KEEPALIVES,
        **(settings or {}),
    }
    engine = create_async_engine(
        make_url(url).set(drivername=_ASYNCPG),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_recycle=1800,
        pool_use_lifo=True,
        hide_parameters=True,  # they are people's names, numbers and messages
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": COMMAND_SECONDS,
            "server_settings": server_settings,
        },
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
    _refuse_closed(engine)
    waking = {"application": f"{application}:wake", "scope": make_url(url).username or ""}
    async with open_waker(plain_url(url), **waking) as waker:
        try:
            yield Database(engine, sessions, waker)
        finally:
            await engine.dispose()


def _refuse_closed(engine: AsyncEngine) -> None:
    """Hand out no connection whose end has been heard of; the pool then opens another.

    The driver sees a server's farewell by itself. `pool_pre_ping` would ask before each
    transaction, in three round trips: a tenth of a busy process's time.
    """

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, _record: object, _proxy: object) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError
