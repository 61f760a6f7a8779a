"""What must be there before a service starts: database, roles, schemas, and the broker's queues."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from trunkline_common.broker.connect import BrokerLost
from trunkline_common.broker.declaring import Drift, declare
from trunkline_common.broker.management import Management
from trunkline_common.db.roles import bootstrap
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.stack.layout import Layout
from trunkline_dev.stack.options import SERVICES

_SECONDS = 120.0
_CONNECT_SECONDS = 10.0


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
    management = Management(_with_account(layout))
    user = unquote(urlsplit(layout.servers.amqp_url).username or "guest")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    try:
        if layout.options.fresh:
            management.call("DELETE", "vhosts", layout.vhost)
        management.call("PUT", "vhosts", layout.vhost, body={})
        management.call("PUT", "permissions", layout.vhost, user, body=everything)
        asyncio.run(declare(layout.broker_url))
    except (BrokerLost, Drift) as error:
        raise CannotGoOn(f"topology: {error}") from error


def _with_account(layout: Layout) -> str:
    """The management URL with the account that the AMQP URL has."""
    account = urlsplit(layout.servers.amqp_url).netloc.rpartition("@")[0]
    parts = urlsplit(layout.servers.management_url)
    return urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc.rpartition('@')[2]}"))
