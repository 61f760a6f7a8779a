"""The job on Procrastinate, with the task for stalled jobs that its documentation shows.

https://procrastinate.readthedocs.io/en/stable/howto/production/retry_stalled_jobs.html
"""

from __future__ import annotations

import asyncio
import sys

import procrastinate
import uvloop
import work

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(
        conninfo=work.DATABASE, min_size=work.CONNECTIONS, max_size=work.CONNECTIONS
    )
)
_work = work.AsyncWork()


@app.task(name="call")
async def call(seq: int, address: str) -> None:
    """One contact."""
    await _work.do(seq, address)


@app.periodic(cron="* * * * *")
@app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(_context: procrastinate.JobContext, timestamp: int) -> None:
    """What a worker left behind that is not alive any more."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.retry_job(job)


async def _main(role: str) -> None:
    async with app.open_async():
        match role:
            case "schema":
                await app.schema_manager.apply_schema_async()
            case "fill":
                everybody = [{"seq": seq, "address": a} for seq, a in work.contacts()]
                await call.batch_defer_async(*everybody)
            case _:
                await _work.open()
                await app.run_worker_async(concurrency=work.IN_FLIGHT, delete_jobs="successful")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(sys.argv[1]))
