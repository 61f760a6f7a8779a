"""Api as its own process, the bare application beside it, and a business that has a channel."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from tests.benchmarks.dispatch import program
from tests.benchmarks.stage import ACCOUNT, KEY, SENDER, TOKEN, Stage

from trunkline_common.testing.facts import eventually

SECRET: Final = "s" * 32  # of callbacks, and the operator's token
PUBLIC_URL: Final = "https://api.example.com"


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where it is on this machine."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A business and how it is known."""

    business_id: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """What it proves itself by."""
        return {"Authorization": f"Bearer {self.key}"}


@contextmanager
def api(stage: Stage, **settings: str) -> Iterator[Server]:
    """`trunkline_api serve`, listening."""
    port = _free_port()
    environment = {
        "API_DATABASE_URL": stage.urls["api"],
        "API_BROKER_URL": stage.broker.url,
        "API_SEALING_KEYS": f"k1:{base64.b64encode(KEY).decode()}",
        "API_CALLBACK_SECRET": SECRET,
        "API_OPERATOR_TOKEN": SECRET,
        "API_PUBLIC_URL": PUBLIC_URL,
        "API_HTTP_HOST": "127.0.0.1",
        "API_HTTP_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        **settings,
    }
    with program("trunkline_api", "serve", **environment) as process:
        yield _listening(Server(port, process.pid))


@contextmanager
def bare(stage: Stage) -> Iterator[Server]:
    """The bare application, listening."""
    port = _free_port()
    words = ("--port", str(port))
    environment = {"BENCH_DATABASE": stage.superuser_url, "LOG_LEVEL": "WARNING"}
    with program("tests.benchmarks.ingest.bare", *words, **environment) as process:
        yield _listening(Server(port, process.pid))


@contextmanager
def both(stage: Stage) -> Iterator[tuple[Server, Server]]:
    """Api and the bare application."""
    with ExitStack() as stack:
        yield stack.enter_context(api(stage)), stack.enter_context(bare(stage))


def tenant_of(server: Server) -> Tenant:
    """A new business, made as an operator does."""
    asked = {"name": "benchmark", "country": "DE", "time_zone": "Europe/Berlin"}
    made = _posted(server, "/v1/businesses", {"Authorization": f"Bearer {SECRET}"}, asked)
    return Tenant(made["id"], made["key"]["key"])


def channel_of(server: Server, tenant: Tenant) -> str:
    """A new voice channel of a business."""
    asked = {
        "kind": "voice",
        "account": ACCOUNT,
        "senders": [SENDER],
        "credentials": {"auth_token": TOKEN},
    }
    return str(_posted(server, "/v1/channels", tenant.headers, asked)["id"])


def _posted(server: Server, path: str, headers: dict[str, str], asked: object) -> Any:
    answer = httpx.post(server.url + path, json=asked, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listening(server: Server) -> Server:
    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            return False
        writer.close()
        return True

    asyncio.run(eventually(listens, within=60, what=f"process {server.pid} listens"))
    return server
