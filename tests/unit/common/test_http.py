"""The HTTP edge without a network: problems, correlation, limits, health."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from trunkline_common.http import Health, Problem, correlation_id, create_app


class Run(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    pace: int = 1


async def _up() -> None:
    return


async def _down() -> None:
    raise ConnectionRefusedError("nobody at +4915112345678")


HEALTH = Health()


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter()

    @router.post("/runs", status_code=201)
    async def create(run: Run) -> dict[str, str]:
        return {"name": run.name, "correlation": correlation_id()}

    @router.get("/runs/{run_id}")
    async def show(run_id: str) -> None:
        raise Problem(
            409, "already-started", "It runs", run_id, [{"pointer": "#/x"}], headers={"X-A": "b"}
        )

    @router.get("/broken")
    async def broken() -> None:
        raise KeyError("secret detail")

    @router.post("/upload")
    async def upload(request: Request) -> int:
        return len(await request.body())

    HEALTH.checks.clear()
    app = create_app("test", [router], health=HEALTH, body_limit=100, body_limits={"/upload": 1000})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


async def test_a_correlation_id_is_taken_and_given_back(client: httpx.AsyncClient) -> None:
    answer = await client.post("/runs", json={"name": "a"}, headers={"X-Correlation-Id": "cor-1"})
    assert answer.headers["X-Correlation-Id"] == answer.json()["correlation"] == "cor-1"
    answer = await client.post("/runs?cid=cor-2", json={"name": "a"})
    assert answer.json()["correlation"] == "cor-2"
    born = (await client.post("/runs", json={"name": "a"})).headers["X-Correlation-Id"]
    assert len(born) == 36


@pytest.mark.parametrize("given", ["with blank", "x" * 129, "new\tline", ""])
async def test_a_strange_correlation_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.post("/runs", json={"name": "a"}, headers={"X-Correlation-Id": given})
    assert answer.headers["X-Correlation-Id"] != given
    assert len(answer.headers["X-Correlation-Id"]) == 36


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        ("GET", "/nowhere", None, 404, "not-found"),
        ("DELETE", "/runs", None, 405, "method-not-allowed"),
        ("POST", "/runs", b"{broken", 400, "malformed-json"),
        ("POST", "/runs", b'{"name": 1, "x": 2}', 422, "invalid-request"),
        ("POST", "/runs", b"x" * 200, 413, "content-too-large"),
        ("GET", "/runs/r1", None, 409, "already-started"),
        ("GET", "/broken", None, 500, "internal-error"),
    ],
)
async def test_every_error_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, body: bytes | None, status: int, slug: str
) -> None:
    headers = {"Content-Type": "application/json"} if body else {}
    answer = await client.request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:trunkline:problem:{slug}"
    assert problem["status"] == status
    assert problem["correlation_id"] == answer.headers["X-Correlation-Id"]
    assert "secret detail" not in answer.text


async def test_a_validation_problem_points_at_each_fault(client: httpx.AsyncClient) -> None:
    answer = await client.post("/runs", json={"pace": "fast", "a/b": 1})
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"#/name", "#/pace", "#/a~1b"}


async def test_a_problem_carries_its_headers_and_errors(client: httpx.AsyncClient) -> None:
    answer = await client.get("/runs/r1")
    assert answer.headers["X-A"] == "b"
    assert answer.json()["detail"] == "r1"
    assert answer.json()["errors"] == [{"pointer": "#/x"}]


async def test_a_body_without_a_length_is_counted_too(client: httpx.AsyncClient) -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 50):
            yield b"x" * 50

    assert (await client.post("/upload", content=chunks(900))).json() == 900
    assert (await client.post("/upload", content=chunks(1100))).status_code == 413


async def test_readiness_names_each_dependency(client: httpx.AsyncClient) -> None:
    HEALTH.add("database", _up)
    HEALTH.add("broker", _down, required=False)
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["dependencies"] == {
        "database": "up",
        "broker": "down: ConnectionRefusedError",
    }
    HEALTH.add("broker", _down)
    assert (await client.get("/health/ready")).status_code == 503
    assert (await client.get("/health/live")).status_code == 200


async def test_metrics_name_routes_and_no_ids(client: httpx.AsyncClient) -> None:
    await client.get("/runs/run_secret")
    said = (await client.get("/metrics")).text
    assert 'route="/runs/{run_id}"' in said
    assert "run_secret" not in said
