"""Api on a real database: the application without a server, a business, its key, its channel."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from trunkline_api.accounts import Accounts
from trunkline_api.app import application
from trunkline_api.callbacks import Ear
from trunkline_api.parts import Parts
from trunkline_api.scripts import Scripts
from trunkline_api.siblings import Siblings
from trunkline_common.broker import Hints
from trunkline_common.db import Database, transaction
from trunkline_common.sealing import Sealer

PUBLIC_URL = "https://api.example.com"
OPERATOR = "operator-token-of-the-tests"
SECRET = "callback-secret-of-the-tests"
AUTH_TOKEN = "twilio-auth-token"
APP_SECRET = "meta-app-secret"
VERIFY_TOKEN = "meta-verify-token"
TWILIO_ACCOUNT = "AC" + "1" * 32
META_NUMBER = "1055512345"


@pytest.fixture
def database(api_database: Database) -> Database:
    """The database as the service sees it, empty."""
    return api_database


@pytest.fixture
def parts(database: Database) -> Parts:
    """Of a process whose broker is away, as requests must not mind."""
    return parts_of(database, "amqp://nobody@127.0.0.1:1/")


def parts_of(database: Database, broker_url: str) -> Parts:
    """What one process has; a second one has its own."""
    sealer = Sealer({"k1": b"1" * 32}, "k1")
    accounts = Accounts(database, sealer)
    return Parts(
        database=database,
        sealer=sealer,
        accounts=accounts,
        scripts=Scripts(database),
        siblings=Siblings(Hints(broker_url, "api"), accounts),
        ear=Ear(database),
        public_url=PUBLIC_URL,
        callback_secret=SECRET,
        operator_token=OPERATOR,
        upload_max_bytes=200_000,
        upload_max_rows=5_000,
        business_concurrent=5_000,
    )


@pytest.fixture
async def http(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, without a server in between."""
    transport = httpx.ASGITransport(application(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
        yield client


@dataclass(frozen=True)
class Tenant:
    """A business and a client that holds its key."""

    id: str
    key: str
    http: httpx.AsyncClient

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.get(path, headers=self.headers, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return await self.http.post(path, json=json, headers=self.headers, **more)

    async def upload(self, data: bytes, **query: str) -> httpx.Response:
        headers = {**self.headers, "Content-Type": "text/csv"}
        return await self.http.post("/v1/imports", content=data, headers=headers, params=query)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def voice_channel(self) -> str:
        asked = {
            "kind": "voice",
            "account": TWILIO_ACCOUNT,
            "senders": ["+15005550006"],
            "credentials": {"auth_token": AUTH_TOKEN},
        }
        answer = await self.post("/v1/channels", asked)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def whatsapp_channel(self) -> str:
        credentials = {
            "access_token": "t",
            "app_secret": APP_SECRET,
            "verify_token": VERIFY_TOKEN,
        }
        asked = {
            "kind": "whatsapp",
            "account": META_NUMBER,
            "senders": ["+15005550006"],
            "credentials": credentials,
        }
        answer = await self.post("/v1/channels", asked)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def draft(self, channel_id: str, audience: Any, **more: Any) -> httpx.Response:
        asked = {
            "name": "spring",
            "channel": "voice",
            "channel_id": channel_id,
            "audience": audience,
            "content": {"script": "Good day"},
            **more,
        }
        return await self.post("/v1/runs", asked)


async def new_tenant(http: httpx.AsyncClient, country: str = "DE") -> Tenant:
    """A business as an operator makes it."""
    asked = {"name": "Bakery", "country": country, "time_zone": "Europe/Berlin"}
    answer = await http.post(
        "/v1/businesses", json=asked, headers={"Authorization": f"Bearer {OPERATOR}"}
    )
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Tenant(made["id"], made["key"]["key"], http)


@pytest.fixture
async def tenant(http: httpx.AsyncClient) -> Tenant:
    return await new_tenant(http)


@pytest.fixture
async def other(http: httpx.AsyncClient) -> Tenant:
    return await new_tenant(http)


async def facts(database: Database, business_id: str, name: str | None = None) -> list[Any]:
    """What a business's transactions have said, in order."""
    query = text(
        "SELECT name, subject, CAST(payload AS jsonb) AS payload, correlation_id, sequence,"
        " traceparent FROM outbox WHERE business_id = :business_id"
        " AND (CAST(:name AS text) IS NULL OR name = :name) ORDER BY position"
    )
    async with transaction(database) as session:
        rows = await session.execute(query, {"business_id": business_id, "name": name})
        return list(rows.mappings())


def meta_body(*statuses: object) -> bytes:
    value = {"metadata": {"phone_number_id": META_NUMBER}, "statuses": list(statuses)}
    return json.dumps({"entry": [{"changes": [{"value": value, "field": "messages"}]}]}).encode()


def meta_signature(body: bytes, secret: str = APP_SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}
