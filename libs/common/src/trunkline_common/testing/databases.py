"""A database from a template: migrated once, cloned for each test worker, emptied for each test."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from trunkline_common.db import inbox, leases, outbox, pace, roles
from trunkline_common.db.migrate import migrate_async
from trunkline_common.topology import SERVICES

PASSWORD: Final = "trunkline-tests"  # noqa: S105 - roles of a server that is made for tests
CONNECT_SECONDS: Final = 10


def role_passwords() -> dict[str, str]:
    """One password for every role of the test server."""
    named = (roles.owner_role, roles.app_role)
    return {role(service): PASSWORD for service in SERVICES for role in named}


def at_database(url: str, database: str, *, role: str | None = None) -> str:
    """The same server, another database, and another role with its password."""
    parts = urlsplit(url)
    host = (parts.hostname or "localhost") + (f":{parts.port}" if parts.port else "")
    login = f"{role}:{PASSWORD}" if role else parts.netloc.rpartition("@")[0]
    return urlunsplit(("postgresql", f"{login}@{host}", f"/{database}", parts.query, ""))


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """One test process at a time, on this machine."""
    with (Path(tempfile.gettempdir()) / f"trunkline-{os.getuid()}-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _migrations(service: str) -> Path | None:
    """The folder of a service's migrations, if the service is installed and has any."""
    try:
        spec = importlib.util.find_spec(f"trunkline_{service}.migrations")
    except ModuleNotFoundError:
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def template_name() -> str:
    """A name that changes whenever a migration does, so that a template is never out of date."""
    digest = hashlib.sha256(Path(roles.__file__).read_bytes())
    for table in (inbox.TABLE_V1, leases.TABLE_V1, outbox.TABLE_V1, pace.TABLE_V1, pace.TABLE_V2):
        digest.update(table.encode())
    for service in SERVICES:
        folder = _migrations(service)
        for path in sorted(folder.rglob("*.py")) if folder else ():
            digest.update(f"{service}/{path.name}".encode() + path.read_bytes())
    return f"trunkline_template_{digest.hexdigest()[:12]}"


async def ensure_template(superuser_url: str) -> str:
    """The migrated template database; made now if there is none yet."""
    name = template_name()
    server = await asyncpg.connect(superuser_url, timeout=CONNECT_SECONDS)
    try:
        if await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            return name
        half_made = f"{name}_half_made"
        await server.execute(f'DROP DATABASE IF EXISTS "{half_made}" WITH (FORCE)')
        await roles.bootstrap(superuser_url, half_made, role_passwords())
        for service in SERVICES:
            if _migrations(service):
                url = at_database(superuser_url, half_made, role=roles.owner_role(service))
                await migrate_async(url, f"trunkline_{service}.migrations", schema=service)
        await server.execute(f'ALTER DATABASE "{half_made}" RENAME TO "{name}"')
    finally:
        await server.close()
    return name


async def clone(superuser_url: str, template: str, name: str) -> None:
    """A fresh copy; what belongs to a database and is not copied with it is made anew."""
    server = await asyncpg.connect(superuser_url, timeout=CONNECT_SECONDS)
    try:
        await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await server.close()
    await roles.bootstrap(superuser_url, name, role_passwords())


async def drop(superuser_url: str, name: str) -> None:
    """Away with it, whoever is still connected."""
    server = await asyncpg.connect(superuser_url, timeout=CONNECT_SECONDS)
    try:
        await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await server.close()


_TABLES: Final = """
SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND n.nspname = ANY($1) AND c.relname <> 'alembic_version'
"""
_MOVED: Final = """
SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences
 WHERE schemaname = ANY($1) AND last_value IS NOT NULL
"""


async def empty(database_url: str, schemas: tuple[str, ...] = SERVICES) -> None:
    """Delete every row of these schemas, and begin their sequences anew; the structure stays.

    Only tables that have rows are emptied: to truncate an empty one costs as much as a full one,
    for it gets new files, and so do its indexes.
    """
    connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS)
    try:
        tables = [row["name"] for row in await connection.fetch(_TABLES, list(schemas))]
        if not tables:
            return
        look = "SELECT '{0}' WHERE EXISTS (SELECT FROM {0})"  # names are the catalogue's
        looks = (look.format(name) for name in tables)
        full = (
            [row[0] for row in await connection.fetch(" UNION ALL ".join(looks))] if tables else []
        )
        if full:
            await connection.execute(f"TRUNCATE {', '.join(full)} RESTART IDENTITY CASCADE")
        for row in await connection.fetch(_MOVED, list(schemas)):
            await connection.execute(f"ALTER SEQUENCE {row['name']} RESTART")
    finally:
        await connection.close()


@contextmanager
def cloned(superuser_url: str, label: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """(superuser's URL of the clone, application URL by service); dropped at the end."""
    with only_one("template"):
        template = asyncio.run(ensure_template(superuser_url))
        name = f"trunkline_test_{label}"
        asyncio.run(clone(superuser_url, template, name))
    try:
        yield (
            at_database(superuser_url, name),
            {
                service: at_database(superuser_url, name, role=roles.app_role(service))
                for service in SERVICES
            },
        )
    finally:
        asyncio.run(drop(superuser_url, name))
