"""The protocol's invariants as questions to the tables and to the witness: what breaks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.outbound.fences import Fences
from tests.integration.outbound.laws import COUNTS, LOOK, NAMES, OPEN, OVER_A_CAP
from tests.integration.outbound.world import World

from trunkline_common.db import Database, transaction
from trunkline_outbound.domain.states import FINAL_JOB

# States of a run between which it does not come back to life.
_STANDS: Final = {
    "paused": "paused",
    "cancelling": "cancelled",
    "cancelled": "cancelled",
    "completed": "completed",
}


Rows = Mapping[str, list[dict[str, Any]]]


class Watch:
    """Asks after each step; remembers of the step before what must not be taken back."""

    def __init__(self, database: Database, world: World) -> None:
        self._database = database
        self._world = world
        self._witness = world.witness
        self._fences = Fences(world)
        self.suppressed: set[tuple[str, str]] = set()  # business and number
        self.shut: set[str] = set()  # runs whose window is closed
        self.stopped: set[str] = set()  # runs whose control was done while an intent was not
        self.seen: dict[str, int] = {}
        self.states: dict[str, str] = {}  # of runs
        self._final: dict[tuple[str, int], str] = {}
        self._still: dict[tuple[str, str], int] = {}  # attempts of runs that stand
        self._known: set[str] = set()  # attempts
        self._absent: set[str] = set()  # attempts that were ruled so

    async def look(self) -> None:
        """Fail with what is broken, if anything is."""
        async with transaction(self._database) as session:
            [[rows]] = await _rows(session, LOOK)
        broken = [f"{NAMES[row['rule']]}: {row['what']}" for row in rows["broken"]]
        if any(call.was_hidden for call in self._witness.accepted):
            # What is found late is in the air, room or none.
            broken = [line for line in broken if not line.startswith(OVER_A_CAP)]
        for part in (self._ends, self._gates, self._fences.look, self._admitted, self._calls):
            broken += part(rows)
        assert not broken, "\n".join(broken)
        self.seen = {row["what"]: row["n"] for row in rows["seen"]}
        self.states = {row["run_id"]: row["state"] for row in rows["runs"]}

    def _ends(self, rows: Rows) -> list[str]:
        """I2: what is final stays so; but `unknown`, which a late fact may correct."""
        now = {(row["run_id"], row["seq"]): row["state"] for row in rows["jobs"]}
        back = [
            f"I2 {key} was {state} and is {now[key]}"
            for key, state in self._final.items()
            if now[key] != state and (state, now[key]) != ("unknown", "done")
        ]
        self._final = {key: state for key, state in now.items() if state in FINAL_JOB}
        return back

    def _gates(self, rows: Rows) -> list[str]:
        """I4: in a run that stands there is no new attempt, and a receipt stays true."""
        broken, still = [], {}
        for run in rows["runs"]:
            stands = _STANDS.get(run["state"])
            if stands is not None:
                key = (run["run_id"], stands)
                still[key] = run["attempts"]
                if self._still.get(key, run["attempts"]) != run["attempts"]:
                    broken.append(f"I4 {run['run_id']} is {run['state']} and has a new attempt")
            if run["receipt"] and run["stopped"] < run["receipt"]["stopped"]:
                broken.append(f"I4 {run['run_id']} told {run['receipt']}: {run['stopped']}")
        self._still = still
        return broken

    def _admitted(self, rows: Rows) -> list[str]:
        """What spoke against an attempt before its intent committed."""
        new = [row for row in rows["attempts"] if row["attempt_id"] not in self._known]
        self._known = {row["attempt_id"] for row in rows["attempts"]}
        broken = []
        for row in new:
            if (row["business_id"], row["to_number"]) in self.suppressed:
                broken.append(f"opt-out: {row['to_number']} had opted out")
            if row["run_id"] in self.shut:
                broken.append(f"window: that of {row['run_id']} is closed, job {row['seq']}")
            if row["run_id"] in self.stopped:
                broken.append(f"I4 {row['run_id']} was stopped before an intent committed")
        self.stopped.clear()
        return broken

    def _calls(self, rows: Rows) -> list[str]:
        """I1, I6: what the witness accepted has an attempt each, and is bound to that one."""
        accepted = {call.provider_id: call.attempt_id for call in self._witness.accepted}
        twice = [a for a, n in Counter(accepted.values()).items() if n > 1]
        broken = [f"I1 attempt {attempt_id} was accepted twice" for attempt_id in twice]
        broken += [
            f"I6 {row['provider_id']} is bound to {row['attempt_id']}"
            for row in rows["bound"]
            if accepted.get(row["provider_id"]) != row["attempt_id"]
        ]
        self._absent |= {a["attempt_id"] for a in rows["attempts"] if a["state"] == "absent"}
        broken += [
            f"I1 {call.attempt_id} was ruled absent and was accepted"
            for call in self._witness.accepted
            if call.attempt_id in self._absent and not call.was_hidden
        ]
        return broken + self._second_calls(rows)

    def _second_calls(self, rows: Rows) -> list[str]:
        """I1: a job is called again only when its call before is over and was not answered.

        But for one that its provider did not show until after the grace: that call is braked.
        """
        jobs = {row["attempt_id"]: (row["run_id"], row["seq"]) for row in rows["attempts"]}
        last: dict[tuple[str, int], str] = {}
        broken = []
        for call in self._witness.accepted:
            job = jobs.get(call.attempt_id)
            if job is None:
                broken.append(f"I1 {call.attempt_id} was sent and is not written down")
                continue
            if last.get(job, "busy") not in ("busy", "no-answer"):
                broken.append(f"I1 job {job} was called again after {last[job]}")
            last[job] = "busy" if call.was_hidden else call.said[-1]
        return broken

    async def left(self) -> list[str]:
        """What is still open."""
        async with transaction(self._database) as session:
            return [f"{what}: {n}" for what, n in await _rows(session, OPEN) if n]

    async def at_rest(self) -> None:
        """I2 and I3, when nothing more can happen: all has ended, and every sum is one."""
        left = await self.left()
        async with transaction(self._database) as session:
            told = await _rows(session, COUNTS)
        wrong = [f"{run}: told {a}, is {b}" for run, a, b in told if _sums(a) != _sums(b)]
        live = [call.provider_id for call in self._witness.alive()]
        assert (left, wrong, live) == ([], [], [])


async def _rows(session: AsyncSession, sql: str) -> list[Any]:
    return list(await session.execute(text(sql)))


def _sums(states: object) -> Counter[str]:
    """Jobs by state; a late fact may make an `unknown` one done."""
    sums: Counter[str] = Counter()
    if isinstance(states, dict):
        for state, jobs in states.items():
            sums["done" if state == "unknown" else state] += jobs
    return sums
