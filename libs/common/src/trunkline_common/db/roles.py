"""Who may do what: a schema, an owner and an application role for each service.

Row-level security comes with tenant isolation; this split of roles is what it stands on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Final

import asyncpg

from trunkline_common.db.engine import plain_url
from trunkline_common.topology import SERVICES

CONNECT_SECONDS: Final = 10
_LOCK: Final = 7_031_844_911  # roles belong to the whole server: two bootstraps must not race


def owner_role(service: str) -> str:
    """The role that runs a service's migrations and owns its tables."""
    return f"trunkline_{service}_owner"


def app_role(service: str) -> str:
    """The role that a service's processes have: rows, no structure."""
    return f"trunkline_{service}"


async def bootstrap(
    superuser_url: str,
    database: str,
    passwords: Mapping[str, str],
    *,
    services: tuple[str, ...] = SERVICES,
) -> None:
    """Create what is missing: roles, the database, and in it each service's schema and grants.

    `passwords` names each role. Can be run again at any time; it then only sets passwords.
    """
    server = await asyncpg.connect(plain_url(superuser_url), timeout=CONNECT_SECONDS)
    try:
        await server.execute("SELECT pg_advisory_lock($1)", _LOCK)
        for service in services:
            for role in (owner_role(service), app_role(service)):
                await _ensure_role(server, role, passwords[role])
        if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await server.execute(f"CREATE DATABASE {_quoted(database)} ENCODING 'UTF8'")
    finally:
        await server.close()
    inside = await asyncpg.connect(
        plain_url(superuser_url), database=database, timeout=CONNECT_SECONDS
    )
    try:
        await inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await inside.execute(f"REVOKE ALL ON DATABASE {_quoted(database)} FROM PUBLIC")
        for service in services:
            await _ensure_schema(inside, database, service)
    finally:
        await inside.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    if "\\" in text or "\0" in text:
        raise ValueError("a password may not contain a backslash")
    return "'" + text.replace("'", "''") + "'"


async def _ensure_role(server: asyncpg.Connection, role: str, password: str) -> None:
    exists = await server.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    await server.execute(
        f"{verb} ROLE {_quoted(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS "
        f"PASSWORD {_literal(password)}"
    )


async def _ensure_schema(inside: asyncpg.Connection, database: str, service: str) -> None:
    schema, owner, app = (_quoted(n) for n in (service, owner_role(service), app_role(service)))
    where = f"IN DATABASE {_quoted(database)}"
    defaults = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT"
    await inside.execute(
        f"""
        CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner};
        GRANT CONNECT ON DATABASE {_quoted(database)} TO {owner}, {app};
        GRANT USAGE ON SCHEMA {schema} TO {app};
        ALTER ROLE {owner} {where} SET search_path = {schema};
        ALTER ROLE {app} {where} SET search_path = {schema};
        {defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};
        {defaults} USAGE, SELECT ON SEQUENCES TO {app};
        """
    )


def main(argv: list[str]) -> int:
    """`python -m trunkline_common.db.roles SUPERUSER_URL DATABASE < passwords`.

    Passwords come on standard input, a role and its password on each line, so that no process
    list shows them.
    """
    if len(argv) != 2:
        sys.stderr.write("usage: python -m trunkline_common.db.roles SUPERUSER_URL DATABASE\n")
        return 2
    passwords = dict(line.split(maxsplit=1) for line in sys.stdin.read().splitlines() if line)
    asyncio.run(bootstrap(argv[0], argv[1], passwords))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
