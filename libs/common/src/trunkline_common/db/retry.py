"""Work that lost a race for locks is done again, whole: nothing of it was committed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from prometheus_client import Counter

from trunkline_common.db.faults import is_contention

T = TypeVar("T")

TRIES: Final = 4
FIRST_WAIT: Final = 0.05

RETRIED = Counter(
    "trunkline_transactions_retried_total",
    "Transactions rolled back by a deadlock, a serialization failure or a lock's time-out",
    ["what"],
)


async def retried(what: str, work: Callable[[], Awaitable[T]]) -> T:
    """The result of `work`, which is one transaction and is begun anew after lost races.

    After `TRIES` the failure is the caller's. Any other failure is so at once: only these three
    say for certain that nothing was committed.
    """
    for lost in range(1, TRIES):
        try:
            return await work()
        except Exception as error:
            if not is_contention(error):
                raise
            RETRIED.labels(what).inc()
        # Those who met must not meet again in step.
        await asyncio.sleep(FIRST_WAIT * 2**lost * random.uniform(0.5, 1.0))  # noqa: S311 - as above
    return await work()
