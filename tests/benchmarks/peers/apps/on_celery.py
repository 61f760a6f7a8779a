"""The job on Celery: a pool of threads, acknowledged late, so that no task is lost with a worker.

https://docs.celeryq.dev/en/stable/userguide/concurrency/index.html
"""

from __future__ import annotations

import work
from celery import Celery
from celery.signals import worker_init

app = Celery("on_celery", broker=work.BROKER)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
_opened: list[work.BlockingWork] = []


@worker_init.connect  # type: ignore[untyped-decorator]
def _open(**_: object) -> None:
    _opened.append(work.BlockingWork())


@app.task  # type: ignore[untyped-decorator]
def call(seq: int, address: str) -> None:
    """One contact."""
    _opened[0].do(seq, address)


if __name__ == "__main__":
    task = app.signature("on_celery.call")
    with app.producer_pool.acquire(block=True) as producer:
        for contact in work.contacts():
            task.apply_async(args=contact, producer=producer)
