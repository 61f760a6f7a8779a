"""What must be there before a service starts: database, roles, schemas, and the broker's queues."""

from __future__ import annotations

import asyncio
import base64
import http.client
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import MULTIPLE_CHOICES, NOT_FOUND, OK
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from trunkline_common.broker.declare import declare
from trunkline_common.db.roles import bootstrap
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.stack.layout import Layout
from trunkline_dev.stack.options import SERVICES

_SECONDS = 120.0
_CONNECT_SECONDS = 10.0
_MANAGEMENT_SECONDS = 15.0


def prepare_database(layout: Layout) -> None:
    """Create what is missing, then bring every service's schema up to date."""
    asyncio.run(_bootstrap(layout))
    with ThreadPoolExecutor(max_workers=2) as hands:
        list(hands.map(lambda service: migrate(layout, service), SERVICES))


async def _bootstrap(layout: Layout) -> None:
    superuser = layout.servers.postgres_url
    if layout.options.fresh:
        connection = await asyncpg.connect(superuser, timeout=_CONNECT_SECONDS)
        try:
            name = layout.database.replace('"', "")
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close(timeout=_CONNECT_SECONDS)
    await bootstrap(superuser, layout.database, layout.credentials.passwords)


def migrate(layout: Layout, service: str) -> None:
    """`python -m trunkline_<service> migrate`, as a deployment runs it."""
    done = subprocess.run(
        [sys.executable, "-m", f"trunkline_{service}", "migrate"],
        env=layout.migration_environment(service),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise CannotGoOn(f"{service} could not be migrated: {said[-1]}")


def prepare_broker(layout: Layout) -> None:
    """Make the instance's virtual host and everything that topology names in it."""
    vhost = quote(layout.vhost, safe="")
    user = urlsplit(layout.servers.amqp_url).username or "guest"
    if layout.options.fresh:
        _manage(layout, "DELETE", f"/api/vhosts/{vhost}", b"", also=NOT_FOUND)
    _manage(layout, "PUT", f"/api/vhosts/{vhost}", b"{}")
    _manage(
        layout,
        "PUT",
        f"/api/permissions/{vhost}/{user}",
        b'{"configure": ".*", "write": ".*", "read": ".*"}',
    )
    asyncio.run(declare(layout.broker_url))


def _manage(layout: Layout, method: str, path: str, body: bytes, *, also: int = OK) -> None:
    account, door = urlsplit(layout.servers.amqp_url), urlsplit(layout.servers.management_url)
    pair = f"{unquote(account.username or 'guest')}:{unquote(account.password or 'guest')}"
    kind = http.client.HTTPSConnection if door.scheme == "https" else http.client.HTTPConnection
    with closing(kind(door.hostname or "", door.port, timeout=_MANAGEMENT_SECONDS)) as connection:
        headers = {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Content-Type": "application/json",
        }
        connection.request(method, door.path.rstrip("/") + path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status >= MULTIPLE_CHOICES and answer.status != also:
            raise CannotGoOn(f"RabbitMQ's management API answered {answer.status} to {path}")
