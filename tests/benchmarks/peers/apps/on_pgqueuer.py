"""The job on PgQueuer.

https://pgqueuer.readthedocs.io/en/latest/
"""

from __future__ import annotations

import asyncio
import json
import sys

import asyncpg
import uvloop
import work
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries


async def _work() -> None:
    """What `pgq run` does; that command fails with the newest typer."""
    working = work.AsyncWork()
    await working.open()
    pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(work.DATABASE)))

    @pgq.entrypoint("call")
    async def call(job: Job) -> None:
        seq, address = json.loads(job.payload or b"")
        await working.do(seq, address)

    await pgq.run(batch_size=work.IN_FLIGHT // 2, max_concurrent_tasks=work.IN_FLIGHT)


async def _fill() -> None:
    connection = await asyncpg.connect(work.DATABASE)
    everybody = [json.dumps(contact).encode() for contact in work.contacts()]
    queries = Queries(AsyncpgDriver(connection))
    await queries.enqueue(["call"] * len(everybody), everybody, [0] * len(everybody))
    await connection.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_fill() if sys.argv[1] == "fill" else _work())
