"""What api is measured against: FastAPI with one statement of asyncpg for each request.

    BENCH_DATABASE=postgresql://... python -m tests.benchmarks.ingest.bare --port 8000

Rows of the same size into tables with the same keys, under uvicorn's settings of api. Nobody's key
or signature is looked at, no number is read, nothing is passed on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import uvloop
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, Field

from trunkline_common.http import _OWN_TELEMETRY
from trunkline_common.http.server import serve_http
from trunkline_common.ids import CONTACT, new_id
from trunkline_common.loops import Stop

CONNECTIONS = 20
BUSINESS = "biz_00000000000000000000000000"
TABLES = """
CREATE TABLE IF NOT EXISTS api.bare_events (LIKE api.provider_events INCLUDING ALL);
CREATE TABLE IF NOT EXISTS api.bare_contacts (LIKE api.contacts INCLUDING ALL);
"""
_KEEP = """
INSERT INTO api.bare_events (channel_id, natural_key, business_id, provider, kind, attempt_id, body,
                             correlation_id)
VALUES ($1, $2, $3, 'twilio', 'status', $4, $5, $6)
"""
_COLUMNS = (
    "id, address, name, first_name, last_name, email, country, language, time_zone, variables,"
    " created_at"
)
_ADD = f"""
INSERT INTO api.bare_contacts (id, business_id, address, name, email, country, variables)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}
"""  # noqa: S608 - our own columns
_GET = f"SELECT {_COLUMNS} FROM api.bare_contacts WHERE business_id = $1 AND id = $2"  # noqa: S608


class ContactAsked(BaseModel):
    """What is posted."""

    phone: str
    name: str | None = None
    email: str | None = None
    country: str | None = None
    variables: dict[str, str] = Field(default_factory=dict)


class ContactTold(BaseModel):
    """What is answered."""

    id: str
    address: str
    name: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    country: str | None
    language: str | None
    time_zone: str | None
    variables: dict[str, str]
    created_at: datetime


def _told(row: Any) -> ContactTold:
    return ContactTold(**{**row, "variables": json.loads(row["variables"])})


@asynccontextmanager
async def _opened(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["BENCH_DATABASE"]
    async with asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        await pool.execute(TABLES)
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_opened, telemetry=_OWN_TELEMETRY)


@app.post("/callbacks/{channel_id}/{attempt_id}", status_code=204)
async def keep(request: Request, channel_id: str, attempt_id: str) -> Response:
    """A row for a callback."""
    body = (await request.body()).decode()
    key = f"status:CA{attempt_id[-32:]:0>32}:ringing:1:{attempt_id[-24:]}"
    await app.state.pool.execute(_KEEP, channel_id, key, BUSINESS, attempt_id, body, "benchmark")
    return Response(status_code=204)


@app.post("/contacts", status_code=201)
async def add(asked: ContactAsked) -> ContactTold:
    """A row for a contact."""
    values = (asked.phone, asked.name, asked.email, asked.country, json.dumps(asked.variables))
    return _told(await app.state.pool.fetchrow(_ADD, new_id(CONTACT), BUSINESS, *values))


@app.get("/contacts/{contact_id}")
async def get(contact_id: str) -> ContactTold:
    """One row."""
    return _told(await app.state.pool.fetchrow(_GET, BUSINESS, contact_id))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_http(app, "127.0.0.1", port, stop=Stop()))
