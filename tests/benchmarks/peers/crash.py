"""A worker killed with SIGKILL in the middle, and begun again: who was called twice, who never?

The provider's own log of complete requests is the witness.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.dispatch import environment_of as outbound_environment
from tests.benchmarks.dispatch import program, responding
from tests.benchmarks.peers.job import LOGS, asked, over, prepare
from tests.benchmarks.peers.runners import Peer, environment_of, worker
from tests.benchmarks.stage import Stage, add_run, loop_of, start

from trunkline_common.testing.facts import eventually

_SECONDS: Final = 600.0
# The protocol's times at a fifth; whom the provider never had may be called again.
SCALED: Final = {
    "OUTBOUND_LEASE_SECONDS": "6",
    "OUTBOUND_RENEW_SECONDS": "2",
    "OUTBOUND_MARGIN_SECONDS": "2",
    "OUTBOUND_SEND_DEADLINE_SECONDS": "2",
    "OUTBOUND_ANSWER_SECONDS": "2",
    "OUTBOUND_GRACE_SECONDS": "24",
    "OUTBOUND_SWEEP_SECONDS": "1",
    "OUTBOUND_CALL_POLL_SECONDS": "3600",
}
_RESEND = """UPDATE outbound.runs SET policy = '{"when_absent": "resend"}' WHERE run_id = $1"""
_NOT_DONE = """
SELECT EXISTS (SELECT FROM outbound.cursors WHERE run_id = $1 AND next_seq <= total)
    OR EXISTS (SELECT FROM outbound.jobs WHERE run_id = $1 AND state <> 'accepted')
"""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What the provider's log says once everybody is quiet."""

    jobs: int
    twice: int
    never: int
    seconds: float  # from the kill to the last request


@dataclass(frozen=True, slots=True)
class Witness:
    """The provider's log: a line for each complete request."""

    path: Path

    def requests(self) -> Counter[str]:
        """How often each contact was called."""
        return Counter(self.path.read_text().split())

    def has(self, requests: int) -> Callable[[], bool]:
        """A fact: so many requests have come."""
        return lambda: sum(self.requests().values()) >= requests

    def is_quiet(self, seconds: float) -> Callable[[], bool]:
        """A fact: none has come for so long."""
        return lambda: time.time() - self.path.stat().st_mtime > seconds

    def aftermath(self, jobs: int, killed_at: float) -> Aftermath:
        """Who was called twice, and who never."""
        counts = self.requests()
        twice = sum(1 for requests in counts.values() if requests > 1)
        return Aftermath(jobs, twice, jobs - len(counts), self.path.stat().st_mtime - killed_at)


@contextmanager
def witnessed(delay: float) -> Iterator[tuple[str, Witness]]:
    """A provider that keeps a log, and its log."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "requests"
        log.touch()
        with responding("--delay", str(delay), "--log", str(log)) as provider:
            yield provider, Witness(log)


def of_peer(peer: Peer, stage: Stage, *, in_flight: int, jobs: int, delay: float) -> Aftermath:
    """Kill a peer's worker with all its processes at half of the requests; begin another."""
    with (
        witnessed(delay) as (provider, witness),
        loop_of(stage) as (runner, connection),
    ):
        environment = environment_of(stage, provider, in_flight, jobs)
        prepare(peer, stage, environment, jobs)
        log = LOGS / f"{peer.module}.log"
        with worker(peer, environment, log):
            runner.run(_reached(witness, jobs // 2))
        killed_at = time.time()
        with worker(peer, environment, log):
            runner.run(_settled(witness, over(connection), peer.quiet))
            return witness.aftermath(jobs, killed_at)


def of_dispatch(stage: Stage, *, in_flight: int, jobs: int, delay: float) -> Aftermath:
    """The same for outbound's dispatcher; whoever resolves doubts is at work beside it."""
    with ExitStack() as stack:
        provider, witness = stack.enter_context(witnessed(delay))
        runner, connection = stack.enter_context(loop_of(stage))
        environment = outbound_environment(stage, provider, in_flight) | SCALED
        for role in ("relay", "reconcile"):
            stack.enter_context(program("trunkline_outbound", role, **environment))
        run_id = runner.run(add_run(connection, jobs))
        runner.run(connection.execute(_RESEND, run_id))
        with program("trunkline_outbound", "dispatch", **environment) as first:
            runner.run(start(connection, run_id))
            runner.run(_reached(witness, jobs // 2))
            os.kill(first.pid, signal.SIGKILL)
        killed_at = time.time()
        stack.enter_context(program("trunkline_outbound", "dispatch", **environment))
        done = asked(connection, _NOT_DONE.replace("$1", f"'{run_id}'"))
        runner.run(_settled(witness, done, 10.0, expected=False))
        return witness.aftermath(jobs, killed_at)


async def _reached(witness: Witness, requests: int) -> None:
    await eventually(witness.has(requests), within=_SECONDS, what=f"{requests} requests")


async def _settled(
    witness: Witness,
    fact: Callable[[], Coroutine[Any, Any, bool]],
    quiet: float,
    *,
    expected: bool = True,
) -> None:
    """Either everything is done and nothing comes any more, or nothing comes for very long."""
    longest = max(4 * quiet, 120.0)

    async def settled() -> bool:
        if witness.is_quiet(longest)():
            return True
        return witness.is_quiet(quiet)() and await fact() is expected

    await eventually(settled, within=_SECONDS, what="quiet after the kill")
