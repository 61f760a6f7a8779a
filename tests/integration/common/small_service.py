"""A whole service in one module: the tests start it as a real process, and kill it."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fastapi import APIRouter
from pydantic_settings import SettingsConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.common.parts import SHORT, applied, progressed, write_effect

from trunkline_common.contracts import Envelope
from trunkline_common.contracts.outbound import RunProgressed
from trunkline_common.db import outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.db.transaction import name_commit
from trunkline_common.http import Problem, correlation_id
from trunkline_common.loops import work_loop
from trunkline_common.processes import (
    Command,
    Process,
    Runtime,
    Service,
    consume,
    prune,
    relay,
    run_service,
    serve,
)
from trunkline_common.settings import ServiceSettings
from trunkline_common.testing import eventually

PRIVATE: Final = "Anna Lindqvist, +4915112345678, your lenses are ready"
_REFUSED: Final = text("INSERT INTO effects (run_id, event_id, note) VALUES ('r', 'e', :note)")


_TICKED: Final = text("INSERT INTO effects (run_id, event_id) VALUES ('run_tick', :pid)")


async def write_or_fail(session: AsyncSession, envelope: Envelope[RunProgressed]) -> None:
    """The effect; of one run only an error of the database, which knows what was in the row."""
    if envelope.event.run_id == "run_refused":
        await session.execute(_REFUSED, {"note": PRIVATE})
    name_commit(session, "tests.effect")
    await write_effect(session, envelope)


async def linger(runtime: Runtime[Settings]) -> None:
    """Something slow to drain: it ends once the test has written `run_let_go`."""
    await runtime.stop.wait()
    await eventually(lambda: applied(runtime.database, "run_let_go"), 20)


async def tick(runtime: Runtime[Settings]) -> None:
    """A scheduler whose every tick is a row with its process's number."""

    async def once() -> bool:
        async with transaction(runtime.database) as session:
            await session.execute(_TICKED, {"pid": str(os.getpid())})
        return False

    await work_loop("tick", once, stop=runtime.stop, idle=0.05)


async def count(runtime: Runtime[Settings], options: Namespace) -> int:
    async with transaction(runtime.database) as session:
        facts = (await session.execute(text("SELECT count(*) FROM outbox"))).scalar_one()
    sys.stdout.write(f"{options.word} {facts}\n")
    return 3


def count_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("word")


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SMALL_", frozen=True, extra="ignore")


def routes(runtime: Runtime[Settings]) -> Sequence[APIRouter]:
    router = APIRouter()

    @router.post("/runs/{run_id}", status_code=202)
    async def start(run_id: str) -> dict[str, str]:
        async with transaction(runtime.database) as session:
            await outbox.add(session, Fact(progressed(run_id), "biz_1", correlation_id()))
        return {"run_id": run_id}

    @router.get("/runs/{run_id}")
    async def show(run_id: str) -> None:
        raise Problem(404, "unknown-run", "No such run", f"{run_id} is not yours")

    @router.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    @router.get("/refused")
    async def refused() -> None:
        async with transaction(runtime.database) as session:
            await session.execute(_REFUSED, {"note": PRIVATE})

    return [router]


SERVICE: Final = Service(
    name="outbound",
    description="A service for tests.",
    settings=Settings,
    migrations="",
    routes=routes,
    processes=(
        serve(),
        consume({SHORT: {RunProgressed: write_or_fail}}),
        relay(),
        Process[Settings]("schedule", "prune", prune, scheduler=True),
    ),
    commands=(Command("count", "count facts, and end", count, count_arguments),),
)

EXTRA: Final = (  # by name only: no parts of `all`
    Process[Settings]("linger", "drain slowly", linger),
    Process[Settings]("tick", "write who ticks", tick, scheduler=True),
)

if __name__ == "__main__":
    extra = tuple(process for process in EXTRA if process.name in sys.argv)
    whole = replace(SERVICE, processes=(*SERVICE.processes, *extra))
    sys.exit(run_service(whole, sys.argv[1:]))
