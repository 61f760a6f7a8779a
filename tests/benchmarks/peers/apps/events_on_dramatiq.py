"""Events on Dramatiq: one process of the eight threads that it has by itself.

https://dramatiq.io/guide.html
"""

from __future__ import annotations

import functools
from typing import Any

import dramatiq
import events
from dramatiq.brokers.rabbitmq import RabbitmqBroker

dramatiq.set_broker(RabbitmqBroker(url=events.BROKER))


@functools.cache
def _effect() -> events.BlockingEffect:
    effect = events.BlockingEffect()
    effect.open()
    return effect


class Opened(dramatiq.Middleware):
    """Connects before the first message, in the process that works."""

    def before_worker_boot(self, _broker: object, _worker: object) -> None:
        """See dramatiq.Middleware."""
        _effect()


dramatiq.get_broker().add_middleware(Opened())


@dramatiq.actor
def hear(said: dict[str, Any]) -> None:
    """One event."""
    _effect().of(said)


if __name__ == "__main__":
    for number in range(events.EVENTS):
        dramatiq.get_broker().enqueue(hear.message(events.event(number)))
