"""The job on Dramatiq: one process of as many threads as there are requests in flight.

https://dramatiq.io/guide.html and https://dramatiq.io/reference.html#dramatiq.brokers.rabbitmq.RabbitmqBroker
"""

from __future__ import annotations

import functools

import dramatiq
import work
from dramatiq.brokers.rabbitmq import RabbitmqBroker

dramatiq.set_broker(RabbitmqBroker(url=work.BROKER))


@functools.cache
def _work() -> work.BlockingWork:
    return work.BlockingWork()


class Opened(dramatiq.Middleware):
    """Connects before the first message, in the process that works."""

    def before_worker_boot(self, _broker: object, _worker: object) -> None:
        """See dramatiq.Middleware."""
        _work()


dramatiq.get_broker().add_middleware(Opened())


@dramatiq.actor
def call(seq: int, address: str) -> None:
    """One contact."""
    _work().do(seq, address)


if __name__ == "__main__":
    for contact in work.contacts():
        message = call.message(*contact)
        dramatiq.get_broker().enqueue(message)
