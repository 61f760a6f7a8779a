"""What the user says of servers: URLs of his own, what answers there, and which RabbitMQ to use."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

import asyncpg

from trunkline_dev.refusals import CannotGoOn

_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Given:
    """URLs from the user; None where we have to find a server ourselves.

    `series` is the RabbitMQ that is wanted: of an own copy, or the one that must answer.
    """

    postgres_url: str | None = None
    amqp_url: str | None = None
    management_url: str | None = None
    series: str | None = None

    def __post_init__(self) -> None:
        """Refuse a broker of which only one of its two doors is named."""
        if (self.amqp_url is None) != (self.management_url is None):
            missing = (
                "TRUNKLINE_AMQP_URL"
                if self.amqp_url is None
                else "TRUNKLINE_RABBITMQ_MANAGEMENT_URL"
            )
            raise CannotGoOn(f"{missing}: must be set too, to use a RabbitMQ of your own")


NOTHING = Given()


def postgres_version(url: str) -> str:
    """The version of the PostgreSQL behind this URL; refuses one that does not answer."""

    async def ask() -> str:
        connection = await asyncpg.connect(url, timeout=_SECONDS)
        try:
            return str(await connection.fetchval("SHOW server_version", timeout=_SECONDS))
        finally:
            await connection.close(timeout=_SECONDS)

    try:
        return asyncio.run(ask()).split()[0]
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError) as error:
        reason = str(error) or type(error).__name__
        raise CannotGoOn(f"TRUNKLINE_POSTGRES_URL: cannot connect: {reason}") from error


def broker_version(amqp_url: str, management_url: str) -> str:
    """The version of the RabbitMQ behind these URLs; refuses one that does not answer."""
    try:
        overview = management_overview(amqp_url, management_url)
    except (OSError, ValueError) as error:
        raise CannotGoOn(
            f"TRUNKLINE_RABBITMQ_MANAGEMENT_URL: no management API there: {error}"
        ) from error
    return str(overview["rabbitmq_version"])


def management_overview(amqp_url: str, management_url: str) -> dict[str, object]:
    """`GET /api/overview` as the user of the AMQP URL; raises OSError or ValueError."""
    account, door = urlsplit(amqp_url), urlsplit(management_url)
    pair = f"{unquote(account.username or 'guest')}:{unquote(account.password or 'guest')}"
    kind = http.client.HTTPSConnection if door.scheme == "https" else http.client.HTTPConnection
    connection = kind(door.hostname or "", door.port, timeout=_SECONDS)
    try:
        connection.request(
            "GET",
            door.path.rstrip("/") + "/api/overview",
            headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
        )
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise ValueError(f"it answered {answer.status}")
        overview = json.load(answer)
    except http.client.HTTPException as error:
        raise ValueError(f"that is not HTTP: {error!r}") from error
    finally:
        connection.close()
    if not isinstance(overview, dict) or "rabbitmq_version" not in overview:
        raise ValueError("the answer is not RabbitMQ's overview")
    return overview
