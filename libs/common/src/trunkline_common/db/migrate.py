"""A service's schema, brought up to date by its owner: alembic over the package's own files."""

from __future__ import annotations

import asyncio
import hashlib
from importlib.resources import files
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

LOCK_TIMEOUT = "5s"  # a migration that waits for a lock blocks everybody who comes after it
STATEMENT_TIMEOUT = "15min"
CONNECT_SECONDS = 10


def migrate(url: str, package: str, *, schema: str, revision: str = "head") -> None:
    """Apply what is missing. Of replicas that race, one does it and the others find it done."""
    asyncio.run(migrate_async(url, package, schema=schema, revision=revision))


async def migrate_async(url: str, package: str, *, schema: str, revision: str = "head") -> None:
    """`migrate` for whoever has a loop already."""
    settings = {"application_name": f"trunkline_{schema}:migrate", "search_path": schema}
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        connect_args={"timeout": CONNECT_SECONDS, "server_settings": settings},
    )
    event.listen(engine.sync_engine, "do_execute", _whole_scripts)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, package, schema, revision)
    finally:
        await engine.dispose()


def _whole_scripts(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
    """Let a migration execute a script of several statements, which a prepared one cannot hold."""
    if parameters or ";" not in statement.rstrip().rstrip(";"):
        return False
    await_only(cursor._connection.execute(statement))  # noqa: SLF001 - the driver's own connection
    return True


def _upgrade(connection: Connection, package: str, schema: str, revision: str) -> None:
    key = int.from_bytes(hashlib.sha256(f"migrate:{schema}".encode()).digest()[:8], signed=True)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
    config = Config()
    config.set_main_option("script_location", str(files(package)).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)

    def steps(current: Any, _context: Any) -> Any:
        return script._upgrade_revs(revision, current)  # noqa: SLF001 - alembic's command does so

    with EnvironmentContext(config, script, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection, version_table_schema=schema)
        environment.run_migrations()
